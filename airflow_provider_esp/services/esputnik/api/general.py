"""The general methods: version, account, balance, fields, senders, workflows, push tokens.

They need an authorised account and no right. Message templates belong to the same group of the vendor's
documentation and live in `templates`.
"""

from __future__ import annotations

from datetime import date, datetime
from types import NoneType
from typing import ClassVar, Literal

from msgspec import field

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api._request import get, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.api.paging import MOST_ROWS, by_index


class Version(Model, frozen=True, kw_only=True):
    """What is running there."""

    _shown: ClassVar[tuple[str, ...]] = ("version", "protocol_version")

    version: str
    protocol_version: str = ""


class AccountInfo(Model, frozen=True, kw_only=True):
    """Whose account a credential opens."""

    _shown: ClassVar[tuple[str, ...]] = ("organisation_name",)

    user_email: str = ""
    organisation_name: str = ""
    org_id: int | None = None


class ReservedBalance(Model, frozen=True, kw_only=True):
    """Money set aside for one sender."""

    sender_id: int | None = None
    balance: float = 0.0
    sender_name: str = ""


class Balance(Model, frozen=True, kw_only=True):
    """The account's money and free messages.

    :ivar senders_reserved_balances: by media type, e.g. ``sms``.
    """

    _shown: ClassVar[tuple[str, ...]] = ("current_balance", "currency")

    current_balance: float
    credit_limit: float = 0.0
    currency: str = ""
    bonus_emails: int = 0
    bonus_smses: int = 0
    senders_reserved_balances: dict[str, list[ReservedBalance]] = field(default_factory=dict)


class SubscriptionCategory(Model, frozen=True, kw_only=True):
    """Something contacts may subscribe to; dates are as the service writes them."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "key", "name")

    id: int
    key: str = ""
    group_id: int | None = None
    contacts_count: int | None = None
    created_date: str | None = None
    updated_date: str | None = None
    name: str = ""


class AllowedValues(Model, frozen=True, kw_only=True):
    """What a field may hold."""

    possible_values: list[str] = field(default_factory=list)
    min_value: int | None = None
    max_value: int | None = None


class FieldDescription(Model, frozen=True, kw_only=True):
    """What sort of field it is; the case of `type` differs from account to account."""

    type: str = ""
    allowed_values: AllowedValues | None = None
    required: bool = False
    readonly: bool = False


class Field(Model, frozen=True, kw_only=True):
    """An additional field."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "field_key", "name")

    id: int
    name: str = ""
    field_key: str = ""
    description: FieldDescription | None = None


class FieldGroup(Model, frozen=True, kw_only=True):
    """Additional fields that belong together; `profile_key` is the first half of their full key."""

    _shown: ClassVar[tuple[str, ...]] = ("profile_key", "name")

    name: str = ""
    profile_key: str = ""
    fields: list[Field] = field(default_factory=list)


class AddressBook(Model, frozen=True, kw_only=True):
    """The account's contact directory: which additional fields contacts have."""

    _shown: ClassVar[tuple[str, ...]] = ("address_book_id", "name")

    address_book_id: int | None = None
    name: str = ""
    field_groups: list[FieldGroup] = field(default_factory=list)


class AddressBooks(Model, frozen=True, kw_only=True):
    """All directories; accounts have one."""

    address_book: list[AddressBook]


class Sender(Model, frozen=True, kw_only=True):
    """A name messages may be sent under."""

    type: str = ""
    value: str = ""


class SmsCallout(Model, frozen=True, kw_only=True):
    """How one text message campaign went; `date` is as the service writes it."""

    _shown: ClassVar[tuple[str, ...]] = ("callout_name", "date")

    callout_name: str = ""
    group_id: int | None = None
    group_name: str = ""
    date: str = ""
    sent: int = 0
    delivered: int = 0
    errors: int = 0


class TokenState(Model, frozen=True, kw_only=True):
    """Whether a mobile push token may be sent to."""

    _shown: ClassVar[tuple[str, ...]] = ("active",)

    active: bool


class TokenContact(Model, frozen=True, kw_only=True):
    """Whose token it is."""

    _shown: ClassVar[tuple[str, ...]] = ("id",)

    id: int


class ChannelCosts(Model, frozen=True, kw_only=True):
    """What one channel cost on one day."""

    _shown: ClassVar[tuple[str, ...]] = ("media_type",)

    media_type: str = ""
    total_sent: int = 0
    total_parts: int = 0
    bonus_spent: int = 0
    funds_withdrawal: float = 0.0
    funds_refund: float = 0.0
    bonus_received: int = 0
    reserved_funds_withdrawal: float = 0.0
    reserved_funds_refund: float = 0.0


class DailyCosts(Model, frozen=True, kw_only=True):
    """What one day cost, by channel."""

    _shown: ClassVar[tuple[str, ...]] = ("date",)

    date: str = ""
    channel_details: list[ChannelCosts] = field(default_factory=list)


class BalanceHistory(Model, frozen=True, kw_only=True):
    """What the account paid, by day."""

    currency: str = ""
    daily_costs: list[DailyCosts] = field(default_factory=list)


class Workflow(Model, frozen=True, kw_only=True):
    """An automation; `status` is ``active`` or ``inactive``."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "name", "status")

    id: int
    name: str = ""
    status: str = ""
    tags: list[str] = field(default_factory=list)


def version(version: Literal[1, 2] = 2) -> Call[Version]:
    """Read the version of the API: `GET v2/version`, or `GET v1/version`.

    The vendor's own test of an OAuth token.
    """
    return get(f"v{version}/version", answer=Version)


def account_info() -> Call[AccountInfo]:
    """Read whose account it is: `GET v1/account/info`. The test of a connection."""
    return get("v1/account/info", answer=AccountInfo)


def balance() -> Call[Balance]:
    """Read the account's balance: `GET v1/balance`."""
    return get("v1/balance", answer=Balance)


def balance_history(date_from: date | None = None, date_to: date | None = None) -> Call[BalanceHistory]:
    """Read what was spent, by day and channel: `GET v1/balance/history`.

    :param date_from: first day; None for today.
    :param date_to: last day; None for now. The service refuses more than 90 days.
    """
    days = {"dateFrom": date_from, "dateTo": date_to}
    query = {name: day.strftime("%Y-%m-%d") if day else None for name, day in days.items()}
    return get("v1/balance/history", answer=BalanceHistory, query=query)


def subscription_categories() -> Call[list[SubscriptionCategory]]:
    """Read what contacts may subscribe to: `GET v1/subscriptions`."""
    return get("v1/subscriptions", answer=list[SubscriptionCategory])


def address_books() -> Call[AddressBooks]:
    """Read which additional fields contacts have: `GET v1/addressbooks`. See `translate.custom_fields`."""
    return get("v1/addressbooks", answer=AddressBooks)


def email_senders() -> Call[list[Sender]]:
    """Read the names e-mail may be sent under: `GET v1/interfaces/email`."""
    return get("v1/interfaces/email", answer=list[Sender])


def sms_senders() -> Call[list[Sender]]:
    """Read the names text messages may be sent under: `GET v1/interfaces/sms`."""
    return get("v1/interfaces/sms", answer=list[Sender])


def sms_callouts(start_index: int = 1, max_rows: int = MOST_ROWS) -> Call[list[SmsCallout]]:
    """Read how text message campaigns went: `GET v1/callouts/sms`, an old method.

    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer.
    """
    return get("v1/callouts/sms", answer=list[SmsCallout], query={"startindex": start_index, "maxrows": max_rows})


def token_state(app_uuid: str, token_id: str) -> Call[TokenState]:
    """Read whether a mobile push token may be sent to: `GET v1/contact/token/activated/{app_uuid}/{token_id}`."""
    return get("v1/contact/token/activated/{app_uuid}/{token_id}", app_uuid, token_id, answer=TokenState)


def set_token_state(app_uuid: str, token_id: str, *, active: bool) -> Call[TokenState]:
    """Switch a mobile push token on or off: `PUT v1/contact/token/activated/{app_uuid}/{token_id}`."""
    return request(
        "PUT",
        "v1/contact/token/activated/{app_uuid}/{token_id}",
        app_uuid,
        token_id,
        answer=TokenState,
        body={"active": active},
        repeatable=True,
    )


def token_contact(app_uuid: str, token_id: str) -> Call[TokenContact]:
    """Find whose mobile push token it is: `GET v1/contact/token/{app_uuid}/{token_id}/contactId`."""
    return get(
        "v1/contact/token/{app_uuid}/{token_id}/contactId",
        app_uuid,
        token_id,
        answer=TokenContact,
        buckets=(limits.TOKEN_CONTACT,),
    )


def report_interaction(
    interaction_id: str, *, token: str, status: Literal["DELIVERED", "OPENED", "CLICKED"], time: datetime
) -> Call[None]:
    """Tell the service what became of a mobile push message: `PUT v1/interactions/{interaction_id}/status`.

    Not repeatable: whether a second report counts twice is not documented.

    :param interaction_id: ``es_interaction_id`` of the message.
    :param token: the device's push token.
    :param time: when it happened, with a time zone.
    :raises ValueError: `time` has no zone.
    """
    if time.tzinfo is None:
        raise ValueError("The time of an interaction needs a time zone.")
    body = {"token": token, "status": status, "time": time.isoformat(timespec="seconds")}
    return request(
        "PUT",
        "v1/interactions/{interaction_id}/status",
        interaction_id,
        answer=NoneType,
        body=body,
        buckets=(limits.INTERACTIONS,),
        repeatable=False,
    )


def workflows(name: str | None = None, start_index: int = 1, max_rows: int = MOST_ROWS) -> Call[list[Workflow]]:
    """Read a page of the account's workflows: `GET v1/workflows`.

    :param name: part of the name.
    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    """
    query = {"name": name, "startindex": start_index, "maxrows": max_rows}
    return get("v1/workflows", answer=list[Workflow], query=query)


def workflow_pages(name: str | None = None) -> Pages[Workflow]:
    """Read all workflows, page by page. Arguments as in `workflows`."""
    return by_index(lambda index: workflows(name, index), MOST_ROWS)
