"""SMS: phone numbers in mailing lists, sending, and what became of it.

The service wraps several of these answers in a list of one in its documentation and gives plain objects in
practice; both decode to a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.models import DeliveryState
from airflow_provider_esp.services.sendpulse.api._request import Done, Quiet, call, given, numbered

Route = Literal["national", "international"]

_LONGEST_SENDER = 11


class PhoneVariable(Quiet, frozen=True, omit_defaults=True):
    """A variable to write; `type` (``string``, ``number``, ``date``) where the method wants it."""

    name: str
    value: str | int | float
    type: Literal["string", "number", "date"] | None = None


class Counters(msgspec.Struct, frozen=True):
    """What happened to how many numbers; each method counts some of these."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    removed: int = 0
    exists: int = 0
    exceptions: int = 0
    sends: int = 0


class Counted(Done, frozen=True):
    """A change of numbers in a list."""

    counters: Counters = Counters()


class Number(Quiet, frozen=True):
    """A number in a mailing list."""

    status: int | None = None
    email: str | None = None
    variables: Any = None
    added: str = ""


class NumberAnswer(msgspec.Struct, frozen=True):
    """A number, in the answer's wrapping."""

    result: bool
    data: Number = Number()


class Blacklisted(Quiet, frozen=True):
    """A number that never gets a message."""

    phone: str = ""
    description: str = ""
    add_date: str = ""


class Blacklist(msgspec.Struct, frozen=True):
    """The blacklist, in the answer's wrapping."""

    result: bool
    data: list[Blacklisted] = []


class SmsMade(Done, frozen=True):
    """The new campaign; no id for a trial run."""

    campaign_id: int | None = None
    counters: Counters = Counters()


class PhoneInfo(Quiet, frozen=True):
    """What became of the message to one number.

    :ivar status: 1 sent, 2 delivered, 12 not delivered; others are not documented.
    """

    phone: str
    status: int | None = None
    status_explain: str = ""
    money_spent: float = 0.0
    country_code: str = ""
    cyrillic_country_code: str = msgspec.field(name="\u0441ountry_code", default="")

    @property
    def country(self) -> str:
        """The country, whether the key begins with a Latin c or, as in the vendor's example, a Cyrillic one."""
        return self.country_code or self.cyrillic_country_code

    @property
    def state(self) -> DeliveryState:
        """The same in the words of both services; an unknown status is pending."""
        match self.status:
            case 2:
                return DeliveryState.DELIVERED
            case 12:
                return DeliveryState.FAILED
        return DeliveryState.PENDING


class SmsCampaign(msgspec.Struct, frozen=True):
    """A campaign and what became of each message; `company_price` in `currency`."""

    id: int
    address_book_id: int | None = None
    currency: str = ""
    company_price: float = 0.0
    send_date: str = ""
    date_created: str = ""
    sender_name: str = ""
    task_phones_info: list[PhoneInfo] = []

    @property
    def finished(self) -> bool:
        """Whether every message has arrived or failed. The service has no status for the whole campaign."""
        return bool(self.task_phones_info) and all(
            phone.state is not DeliveryState.PENDING for phone in self.task_phones_info
        )


class SmsCampaignAnswer(msgspec.Struct, frozen=True):
    """A campaign, in the answer's wrapping."""

    result: bool
    data: SmsCampaign


class SmsCampaignList(msgspec.Struct, frozen=True):
    """Campaigns; the vendor does not document their fields."""

    result: bool
    data: list[dict[str, Any]] = []


class Price(msgspec.Struct, frozen=True):
    """A price in `currency`."""

    price: float
    currency: str = ""


class PriceAnswer(msgspec.Struct, frozen=True):
    """A price, in the answer's wrapping."""

    result: bool
    data: Price


class SmsSender(msgspec.Struct, frozen=True):
    """A sender's name; `status` is 0 in moderation, 1 active, 2 rejected."""

    id: int
    sender: str = ""
    country: str = ""
    country_code: str = ""
    status: int | None = None
    status_explain: str = ""


def numbers_add(book_id: int, phones: Sequence[str]) -> Call[list[Counted]]:
    """Add numbers to a mailing list: `POST sms/numbers`."""
    body = {"addressBookId": book_id, "phones": _phones(phones)}
    return call("POST", "sms/numbers", list[Counted], body=body, repeatable=True)


def numbers_add_with_variables(book_id: int, phones: Mapping[str, Sequence[PhoneVariable]]) -> Call[list[Counted]]:
    """Add numbers with variables to a mailing list: `POST sms/numbers/variables`.

    :param phones: variables, each with its type, by number.
    :raises ValueError: there is no number, or a variable without its type.
    """
    _phones(list(phones))
    # A list in a list: with one list alone the service breaks.
    body = {"addressBookId": book_id, "phones": {phone: [_typed(variables)] for phone, variables in phones.items()}}
    return call("POST", "sms/numbers/variables", list[Counted], body=body, repeatable=True)


def numbers_change(book_id: int, phones: Sequence[str], variables: Sequence[PhoneVariable]) -> Call[list[Counted]]:
    """Set the same variables on several numbers, each with its type: `PUT sms/numbers`.

    :raises ValueError: there is no number, or a variable without its type.
    """
    body = {"addressBookId": book_id, "phones": _phones(phones), "variables": _typed(variables)}
    return call("PUT", "sms/numbers", list[Counted], body=body)


def numbers_delete(book_id: int, phones: Sequence[str]) -> Call[list[Counted]]:
    """Delete numbers from a mailing list: `DELETE sms/numbers`."""
    return call("DELETE", "sms/numbers", list[Counted], body={"addressBookId": book_id, "phones": _phones(phones)})


def number(book_id: int, phone: str) -> Call[list[NumberAnswer]]:
    """Read one number of a mailing list: `GET sms/numbers/info/{addressBookId}/{phoneNumber}`."""
    return call("GET", "sms/numbers/info/{addressBookId}/{phoneNumber}", list[NumberAnswer], book_id, phone)


def variables_set(book_id: int, phone: str, variables: Sequence[PhoneVariable]) -> Call[list[Done]]:
    """Set variables of one number: `POST addressbooks/{id}/phones/variable`, which takes no types."""
    body = {"phone": phone, "variables": [{"name": one.name, "value": one.value} for one in variables]}
    return call("POST", "addressbooks/{id}/phones/variable", list[Done], book_id, body=body, repeatable=True)


def blacklist() -> Call[Blacklist]:
    """List the numbers that never get a message: `GET sms/black_list`."""
    return call("GET", "sms/black_list", Blacklist)


def blacklist_search(phones: Sequence[str]) -> Call[Blacklist]:
    """Look numbers up on the blacklist: `GET sms/black_list/by_numbers`, which only the vendor's clients tell of."""
    return call("GET", "sms/black_list/by_numbers", Blacklist, query={"phones": json.dumps(_phones(phones))})


def blacklist_add(phones: Sequence[str], description: str) -> Call[list[Counted]]:
    """Put numbers on the blacklist: `POST sms/black_list`."""
    body = {"phones": _phones(phones), "description": description}
    return call("POST", "sms/black_list", list[Counted], body=body, repeatable=True)


def blacklist_remove(phones: Sequence[str]) -> Call[list[Counted]]:
    """Take numbers off the blacklist: `DELETE sms/black_list`."""
    return call("DELETE", "sms/black_list", list[Counted], body={"phones": _phones(phones)})


def send(
    sender: str,
    phones: Sequence[str],
    text: str,
    *,
    date: str | None = None,
    route: Mapping[str, Route] | None = None,
    emulate: bool = False,
    track_links: bool | None = None,
    keep_protocol: bool | None = None,
) -> Call[SmsMade]:
    """Send a text to numbers: `POST sms/send`. Not repeatable, unless it is a trial run.

    :param sender: up to 11 characters.
    :param date: ``Y-m-d H:i:s`` in the account's time zone; None for at once.
    :param route: by country code, e.g. ``{"UA": "national"}``.
    :param emulate: a trial run that sends nothing.
    :param track_links: count clicks (``stat_link_tracking``).
    :param keep_protocol: leave the protocol in counted links (``stat_link_need_protocol``).
    :raises ValueError: there is no number, or the sender's name is too long.
    """
    body = _message(
        sender,
        text,
        emulate=emulate,
        phones=_phones(phones),
        date=date,
        route=route,
        stat_link_tracking=track_links,
        stat_link_need_protocol=keep_protocol,
    )
    return call("POST", "sms/send", SmsMade, body=body, repeatable=emulate)


def send_to_book(
    sender: str,
    book_id: int,
    text: str,
    *,
    date: str | None = None,
    route: Mapping[str, Route] | None = None,
    emulate: bool = False,
    track_links: bool | None = None,
    keep_protocol: bool | None = None,
    use_dynamic_list: bool | None = None,
) -> Call[SmsMade]:
    """Send a text to a mailing list's numbers: `POST sms/campaigns`. Arguments as in `send`.

    :param text: may hold variables of the list, e.g. ``{{name}}``.
    :param use_dynamic_list: also send to numbers that are added before the sending begins.
    """
    body = _message(
        sender,
        text,
        emulate=emulate,
        addressBookId=book_id,
        use_dynamic_list=use_dynamic_list,
        date=date,
        route=route,
        stat_link_tracking=track_links,
        stat_link_need_protocol=keep_protocol,
    )
    return call("POST", "sms/campaigns", SmsMade, body=body, repeatable=emulate)


def _message(sender: str, text: str, *, emulate: bool, **rest: Any) -> dict[str, Any]:
    return given(sender=_sender(sender), body=text, emulate=emulate or None, **rest)


def campaign(campaign_id: int) -> Call[list[SmsCampaignAnswer]]:
    """Read what became of a campaign's messages: `GET sms/campaigns/info/{id}`."""
    return call("GET", "sms/campaigns/info/{id}", list[SmsCampaignAnswer], campaign_id)


def campaigns(date_from: str | None = None, date_to: str | None = None) -> Call[SmsCampaignList]:
    """List campaigns by date: `GET sms/campaigns/list`.

    :param date_from: ``Y-m-d H:i:s`` in the account's time zone.
    """
    return call("GET", "sms/campaigns/list", SmsCampaignList, query={"dateFrom": date_from, "dateTo": date_to})


def cancel(campaign_id: int) -> Call[Done]:
    """Cancel a campaign that has not begun: `PUT sms/campaigns/cancel/{id}`."""
    return call("PUT", "sms/campaigns/cancel/{id}", Done, campaign_id)


def delete(campaign_id: int) -> Call[Done]:
    """Delete a campaign: `DELETE sms/campaigns`."""
    return call("DELETE", "sms/campaigns", Done, body={"id": campaign_id})


def cost(
    sender: str,
    text: str,
    *,
    book_id: int | None = None,
    phones: Sequence[str] = (),
    route: Mapping[str, Route] | None = None,
) -> Call[PriceAnswer]:
    """Ask what a campaign would cost: `GET sms/campaigns/cost`.

    :raises ValueError: not exactly one of `book_id` and `phones`, or the sender's name is too long.
    """
    if (book_id is None) == (not phones):
        raise ValueError("A price needs either book_id or phones, and not both.")
    query = {
        "addressBookId": book_id,
        "body": text,
        "sender": _sender(sender),
        **numbered("phones", phones),
        **{f"route[{country}]": way for country, way in (route or {}).items()},
    }
    return call("GET", "sms/campaigns/cost", PriceAnswer, query=query)


def senders() -> Call[list[SmsSender]]:
    """List the senders' names: `GET sms/senders`."""
    return call("GET", "sms/senders", list[SmsSender])


def _phones(phones: Sequence[str]) -> list[str]:
    if not phones:
        raise ValueError("There is no phone number.")
    return list(phones)


def _typed(variables: Sequence[PhoneVariable]) -> list[PhoneVariable]:
    for one in variables:
        if one.type is None:
            raise ValueError(f"The variable {one.name!r} needs its type here: string, number or date.")
    return list(variables)


def _sender(sender: str) -> str:
    if not 0 < len(sender) <= _LONGEST_SENDER:
        raise ValueError(f"An SMS sender's name has from 1 to {_LONGEST_SENDER} characters, not {len(sender)}.")
    return sender
