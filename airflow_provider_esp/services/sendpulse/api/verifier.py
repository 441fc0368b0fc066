"""The verifier: whether addresses of a mailing list, or single ones, exist; and its reports.

A verification runs at the service. It costs what the account's plan says, and a list that a campaign has used, or that
has no new addresses since it was verified, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_provider_esp.core.calls import Call, Page, Pages
from airflow_provider_esp.services.sendpulse.api._request import Done, Quiet, call, given

UNVERIFIED, VALID, UNCONFIRMED, INVALID = 0, 1, 2, 3
"""What an address is found to be (``status``)."""

PAGE_ROWS = 100
"""Addresses to ask for at once; the service's own choice is 10, and no limit is documented."""


class Verified(Quiet, frozen=True):
    """One address of a list; `status` is `VALID` and the like, `status_text` the same in the account's language."""

    email_address: str
    status: int
    id: int | None = None
    check_date: str = ""
    status_text: str = ""


class VerifiedList(msgspec.Struct, frozen=True):
    """A list that was verified, or is just being.

    :ivar status: 0 while it is verified, then 1 green, 2 yellow, 3 red.
    :ivar data: how many addresses have which status, by its number as text.
    :ivar is_updated: whether addresses were added since.
    """

    id: int
    address_book_name: str = ""
    all_emails_quantity: int = 0
    status: int | None = None
    check_date: str = ""
    data: dict[str, int] = {}
    is_updated: bool = False
    status_text: str = ""
    is_garbage_in_book: bool = False


class VerifiedLists(msgspec.Struct, frozen=True):
    """A page of the lists that were verified."""

    lists: list[VerifiedList] = msgspec.field(name="list")
    total: int = 0


class ListResult(VerifiedList, frozen=True, kw_only=True):
    """A list that was verified, with a page of its addresses.

    :ivar email_addresses_total: how many there are on all pages.
    """

    email_addresses: list[Verified]
    email_addresses_total: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """How many of a list's addresses have been looked at."""

    total: int
    processed: int


class ProgressAnswer(msgspec.Struct, frozen=True):
    """How far a verification is, in the answer's wrapping; no `data` where none is under way."""

    result: bool
    data: Progress | None = None


class Checks(msgspec.Struct, frozen=True):
    """What was found about one address; the flags are 1 or 0."""

    status: int
    valid_format: bool = False
    disposable: bool = False
    webmail: bool = False
    gibberish: bool = False
    status_text: str = ""


class EmailResult(Quiet, frozen=True):
    """One address that was verified by itself."""

    email: str
    checks: Checks


class EmailResultAnswer(msgspec.Struct, frozen=True):
    """One address that was verified by itself, in the answer's wrapping."""

    result: bool
    data: EmailResult | None = None


def list_verify(book_id: int) -> Call[Done]:
    """Begin to verify a mailing list: `POST verifier-service/send-list-to-verify`. Never repeatable: it costs."""
    return call("POST", "verifier-service/send-list-to-verify", Done, body={"id": book_id})


def list_progress(book_id: int) -> Call[ProgressAnswer]:
    """Ask how far the verification of a list is: `GET verifier-service/get-progress`."""
    return call("GET", "verifier-service/get-progress", ProgressAnswer, query={"id": book_id})


def list_result(book_id: int, start: int = 0, count: int = PAGE_ROWS) -> Call[ListResult]:
    """Read what a list was found to be, with a page of its addresses: `GET verifier-service/check`."""
    query = {"id": book_id, "start": start, "count": count}
    return call("GET", "verifier-service/check", ListResult, query=query)


def list_addresses(book_id: int, size: int = PAGE_ROWS) -> Pages[Verified]:
    """Read every address of a verified list: `GET verifier-service/check`, page by page.

    :raises ValueError: there are fewer than the service says there are.
    """
    start = 0
    while True:
        answer = yield from list_result(book_id, start, size)
        if answer.email_addresses:
            yield Page(answer.email_addresses)
        start += len(answer.email_addresses)
        total = answer.email_addresses_total
        if len(answer.email_addresses) < size and (total is None or start >= total):
            return
        if not answer.email_addresses:
            raise ValueError(f"SendPulse says that {total:,} addresses were verified, and lists {start:,}.")


def verified_lists(start: int = 0, count: int = PAGE_ROWS) -> Call[VerifiedLists]:
    """Read a page of the lists that were verified: `GET verifier-service/check-list`."""
    return call("GET", "verifier-service/check-list", VerifiedLists, query={"start": start, "count": count})


def email_verify(address: str) -> Call[Done]:
    """Begin to verify one address: `POST verifier-service/send-single-to-verify`. Never repeatable: it costs."""
    return call("POST", "verifier-service/send-single-to-verify", Done, body={"email": address})


def email_result(address: str) -> Call[EmailResultAnswer]:
    """Read what an address was found to be: `GET verifier-service/get-single-result`."""
    return call("GET", "verifier-service/get-single-result", EmailResultAnswer, query={"email": address})


def email_result_delete(address: str) -> Call[Done]:
    """Forget what an address was found to be: `GET verifier-service/delete-single-result`, as clients in use ask it."""
    return call("GET", "verifier-service/delete-single-result", Done, query={"email": address}, repeatable=False)


def report_make(
    book_id: int,
    *,
    statuses: Sequence[int] = (),
    format: int | None = None,
    lang: str | None = None,
) -> Call[Done]:
    """Have a report of a verified list made: `POST verifier-service/make-report`.

    :param statuses: only addresses of these, e.g. `INVALID`; none for all. Spelled as a list in a text, as the vendor
        wants it.
    :param format: the vendor's number of a file format; None for its own choice.
    :param lang: the report's language.
    """
    wanted = f"[{','.join(map(str, statuses))}]" if statuses else None
    body = given(id=book_id, format=format, status=wanted, lang=lang)
    return call("POST", "verifier-service/make-report", Done, body=body, repeatable=True)


def report(book_id: int) -> Call[ListResult]:
    """Read the report that was made of a verified list: `GET verifier-service/check-report`."""
    return call("GET", "verifier-service/check-report", ListResult, query={"id": book_id})
