"""One address across every mailing list of the account: where it is, what it did, and its removal from all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api._request import Done, Quiet, Variable, call


class InBook(Quiet, frozen=True):
    """An address in one mailing list; `status` as in `books.BookEmail`."""

    book_id: int
    email: str = ""
    status: int = 0
    status_explain: str = ""
    variables: list[Variable] = msgspec.field(default_factory=list)


class BookEntry(msgspec.Struct, frozen=True):
    """When and from where an address came into a list; `source` is e.g. ``panel``."""

    list_name: str = ""
    list_id: int | None = None
    add_date: str = ""
    source: str = ""


class Engagement(msgspec.Struct, frozen=True):
    """How often an address was mailed, opened and clicked."""

    sent: int = 0
    open: int = 0
    link: int = 0


class NamedBook(msgspec.Struct, frozen=True):
    """A mailing list by id and name."""

    id: int
    address_book_name: str = ""


class BookName(msgspec.Struct, frozen=True):
    """A mailing list by id and name, as `stats_of_many` spells it."""

    id: int
    name: str = ""


class Stats(msgspec.Struct, frozen=True):
    """What campaigns achieved with one address."""

    statistic: Engagement = Engagement()
    blacklist: bool = False
    addressbooks: list[NamedBook] = []


class StatsOfMany(msgspec.Struct, frozen=True):
    """What campaigns achieved with one of many addresses; the vendor's key lacks a letter."""

    sent: int = 0
    open: int = 0
    link: int = 0
    blacklist: bool = False
    addressbooks: list[BookName] = msgspec.field(name="adressbooks", default_factory=list)


def info(address: str) -> Call[list[InBook]]:
    """Find the mailing lists that hold an address: `GET emails/{email}`."""
    return call("GET", "emails/{email}", list[InBook], address)


def details(address: str) -> Call[list[BookEntry]]:
    """Read when and from where an address came into its lists: `GET emails/{email}/details`."""
    return call("GET", "emails/{email}/details", list[BookEntry], address)


def info_of_many(addresses: Sequence[str]) -> Call[dict[str, list[InBook]]]:
    """Find the mailing lists of several addresses, by address: `POST emails`."""
    return call("POST", "emails", dict[str, list[InBook]], body=_emails(addresses), repeatable=True)


def stats(address: str) -> Call[Stats]:
    """Read what campaigns achieved with an address: `GET emails/{email}/campaigns`."""
    return call("GET", "emails/{email}/campaigns", Stats, address)


def stats_of_many(addresses: Sequence[str]) -> Call[dict[str, StatsOfMany]]:
    """Read what campaigns achieved with several addresses, by address: `POST emails/campaigns`."""
    return call("POST", "emails/campaigns", dict[str, StatsOfMany], body=_emails(addresses), repeatable=True)


def delete(address: str) -> Call[Done]:
    """Remove an address from every mailing list: `DELETE emails/{email}`."""
    return call("DELETE", "emails/{email}", Done, address)


def _emails(addresses: Sequence[str]) -> dict[str, list[str]]:
    if not addresses:
        raise ValueError("There is no address to ask for.")
    return {"emails": list(addresses)}
