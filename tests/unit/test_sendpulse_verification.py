"""How a verification is begun and awaited, whatever the service says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.exceptions import EspError
from airflow_provider_esp.services.sendpulse.api import verifier
from airflow_provider_esp.services.sendpulse.mapping.verification import Verification

VERIFICATION = Verification(ZoneInfo("Europe/Kyiv"))
RUNNING = verifier.ProgressAnswer(True, verifier.Progress(10, 4))
ENDED = verifier.ProgressAnswer(True, verifier.Progress(10, 10))
SILENT = verifier.ProgressAnswer(False)


def result(status: int | None, *, updated: bool = False, total: int | None = 10) -> verifier.ListResult:
    return verifier.ListResult(
        id=1, status=status, is_updated=updated, email_addresses=[], email_addresses_total=total, all_emails_quantity=9
    )


def carry_out(flow: Flow[Any], answers: Sequence[Any]) -> Any:
    """Carry a flow out with these answers; gives what it returns."""
    left = list(answers)
    try:
        next(flow)
        while True:
            answer = left.pop(0)
            flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
    except StopIteration as end:
        assert left == []
        return end.value


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([RUNNING], (4, 10)),
        ([ENDED], (10, 10)),
        ([SILENT, result(0)], (0, 10)),
        ([SILENT, result(None)], (0, 10)),
        ([SILENT, result(2)], (10, 10)),
        ([SILENT, result(1, total=None)], (9, 9)),
    ],
)
def test_progress_is_told_by_the_service_or_by_the_colour_of_the_result(answers: list[Any], expected: Any) -> None:
    assert carry_out(VERIFICATION.progress("1"), answers) == expected


REFUSED = EspError("refused")


@pytest.mark.parametrize(
    ("answers", "begun"),
    [
        ([True], True),
        ([REFUSED, RUNNING], True),
        ([REFUSED, ENDED, result(3)], True),
        ([REFUSED, SILENT, result(1)], True),
        ([REFUSED, ENDED, result(3, updated=True)], False),
        ([REFUSED, SILENT, result(0)], False),
        ([REFUSED, EspError("unknown")], False),
        ([REFUSED, SILENT, EspError("unknown")], False),
    ],
)
def test_a_refusal_is_none_where_the_list_is_being_verified_or_has_nothing_new(answers: list[Any], begun: bool) -> None:
    if begun:
        assert carry_out(VERIFICATION.start("1"), answers) is None
        return
    with pytest.raises(EspError) as failed:
        carry_out(VERIFICATION.start("1"), answers)
    assert failed.value is REFUSED


def test_pages_of_addresses_are_read_until_the_last_and_none_may_be_missing() -> None:
    one = verifier.Verified("ann@example.com", 1)
    short = verifier.ListResult(id=1, email_addresses=[one], email_addresses_total=1)
    pages = verifier.list_addresses(1, 2)
    next(pages)
    page: Any = pages.send(short)
    assert page.rows == [one]
    with pytest.raises(StopIteration):
        pages.send(None)
    pages = verifier.list_addresses(1, 2)
    next(pages)
    pages.send(verifier.ListResult(id=1, email_addresses=[one, one], email_addresses_total=3))
    pages.send(None)
    with pytest.raises(ValueError, match="3 addresses were verified, and lists 2"):
        pages.send(verifier.ListResult(id=1, email_addresses=[], email_addresses_total=3))


@pytest.mark.parametrize("status", [7, 0, 1, 2, 3])
def test_a_status_that_is_not_in_the_list_is_handed_on_by_its_number(status: int) -> None:
    pages = VERIFICATION.results("1", "Customers")
    next(pages)
    found = verifier.Verified("ann@example.com", status, check_date="2026-01-02 12:00:00", status_text="words")
    page: Any = pages.send(verifier.ListResult(id=1, email_addresses=[found], email_addresses_total=1))
    [row] = page.rows
    words = {0: "unverified", 1: "valid", 2: "unconfirmed", 3: "invalid"}
    assert (row.status, row.reason, row.segment) == (words.get(status, "7"), "words", "Customers")
    assert row.checked_at.isoformat() == "2026-01-02T10:00:00+00:00"
