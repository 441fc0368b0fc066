"""How eSputnik's refusals read, whatever they are dressed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Kind, Refusal
from airflow_provider_esp.services.esputnik.service import ESPUTNIK, refusal
from airflow_provider_esp.utils.redaction import LONGEST_LOOK

PAGE = b"""<!DOCTYPE html>
<html><head><title>502 Bad
Gateway</title></head><body><h1>nginx</h1></body></html>"""


def read(status: int, body: bytes = b"") -> Refusal:
    told = refusal(status, {}, body)
    assert told is not None
    return told


def test_the_service_knows_its_name_and_place() -> None:
    assert (ESPUTNIK.name, ESPUTNIK.title, ESPUTNIK.base_url) == (
        "esputnik",
        "eSputnik",
        "https://esputnik.com/api",
    )
    assert ESPUTNIK.refusal is refusal


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"'x' is not valid email", Kind.INVALID),
        (400, b"Contact support to enable ContactActivity.", Kind.SWITCHED_OFF),
        (403, b"contact our support to activate it", Kind.SWITCHED_OFF),
        (400, b"This method is not enabled: write to support", Kind.SWITCHED_OFF),
        (400, b"Contact with id='5' not found", Kind.NOT_FOUND),
        (401, b"", Kind.UNAUTHENTICATED),
        (401, b"contact support to enable the key", Kind.UNAUTHENTICATED),
        (403, b"", Kind.FORBIDDEN),
        (404, b"", Kind.NOT_FOUND),
        (405, b"", Kind.INVALID),
        (409, b"Duplicated request", Kind.DUPLICATE),
        (409, b"Repeated request within 1 minute", Kind.DUPLICATE),
        (409, b"", Kind.DUPLICATE),
        (409, b"externalCustomerId belongs to another contact", Kind.INVALID),
        (413, b"", Kind.INVALID),
        (415, b"", Kind.INVALID),
        (419, b"Request period must be not greater than 90 days", Kind.INVALID),
        (429, b"More than 200 requests per 1 second", Kind.RATE_LIMITED),
        (429, b"contact support to enable more", Kind.RATE_LIMITED),
        (408, b"", Kind.SERVER),
        (500, b"", Kind.SERVER),
        (502, PAGE, Kind.SERVER),
        (503, b"contact support to enable it", Kind.SERVER),
        (301, b"", Kind.UNEXPECTED),
        (200, PAGE, Kind.UNEXPECTED),
        (200, b"\n <html><body>Sign in</body></html>", Kind.UNEXPECTED),
    ],
)
def test_status_and_words_say_what_sort_of_refusal_it_is(status: int, body: bytes, kind: Kind) -> None:
    assert read(status, body).kind is kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Contacts were detached",
        b'"Contact with id=5 has been updated"',
        b"[]",
        b'{"id":5}',
        b'{"asyncSessionId":"s","errorMessage":null}',
        b'{"asyncSessionId":"s","errorMessage":"half of it failed"}',
        b'{"status":"ERROR","errorMessage":"the import has more to tell"}',
        b'[{"firstName":"\\"errorMessage\\""}]',
        b'[{"text":{"errorMessage":"somebody wrote this"}}]',
        b'{"text":"<html>"}',
    ],
)
def test_a_success_is_no_refusal(body: bytes) -> None:
    assert refusal(200, {"content-type": "application/json"}, body) is None


def test_a_success_that_only_says_why_it_failed_is_a_refusal() -> None:
    told = read(200, b'{"failedContacts":[],"errorMessage":"dedupeOn is\\n unknown"}')
    assert (told.kind, told.message) == (Kind.INVALID, "dedupeOn is unknown")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"plain  words\n", "plain words"),
        (b'"words in quotes"', "words in quotes"),
        (b'{"status":401,"error":"Unauthorized","message":"bad key"}', "bad key"),
        (b'{"error":"Unauthorized"}', "Unauthorized"),
        (b'{"error":"invalid_token","error_description":"expired"}', "expired"),
        (b'{"errors":[{"message":"a"},{"message":"b"}]}', "a; b"),
        (b'{"message":{"message":"deep"}}', "deep"),
        (b'{"status":400}', ""),
        (b"17", ""),
        (b"<html><head></head><body><h1>No <b>entry</b></h1></body></html>", "No entry"),
        (b"<html><body></body></html>", "no title"),
        (b"caf\xe9", "caf\ufffd"),
        (b"x" * 5000, "x" * (LONGEST_LOOK + 1)),
    ],
)
def test_the_sentence_is_found_in_whatever_it_is_dressed_in(body: bytes, message: str) -> None:
    assert read(400, body).message == message


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, b"", "90 days"),
        (403, b"", "no right"),
        (405, b"", "ends in /api"),
        (415, b"", "host"),
        (419, b"", "90 days at most"),
        (400, b"Contact support to enable ContactActivity.", "support to switch this on for your account"),
        (200, PAGE, "host"),
    ],
)
def test_the_reader_of_a_log_is_told_what_to_do(status: int, body: bytes, advice: str) -> None:
    assert advice in read(status, body).advice


@given(st.integers(300, 599), st.binary(max_size=200))
def test_no_body_can_break_the_reading_of_a_refusal(status: int, body: bytes) -> None:
    told = read(status, body)
    assert len(told.message) <= LONGEST_LOOK + 1
    assert "\n" not in told.message


@given(st.binary(max_size=200))
def test_no_body_can_break_the_reading_of_a_success(body: bytes) -> None:
    told = refusal(200, {}, body)
    assert told is None or told.kind in (Kind.UNEXPECTED, Kind.INVALID)


def test_nesting_without_end_is_read_as_words() -> None:
    assert read(400, b"[" * 100_000).kind is Kind.INVALID
    assert refusal(200, {}, b'{"errorMessage":' + b"[" * 100_000) is None
