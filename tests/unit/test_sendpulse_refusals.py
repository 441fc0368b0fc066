"""How SendPulse's refusals are read: every dialect, every known code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Kind, Refusal
from airflow_provider_esp.services.sendpulse.service import SENDPULSE
from airflow_provider_esp.utils.redaction import LONGEST_LOOK

JSON = {"content-type": "application/json"}


def read(status: int, body: Any, headers: dict[str, str] | None = None) -> Refusal | None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SENDPULSE.refusal(status, headers or JSON, content)


def refused(status: int, body: Any, headers: dict[str, str] | None = None) -> Refusal:
    refusal = read(status, body, headers)
    assert refusal is not None
    return refusal


def test_the_service_is_called_as_people_call_it() -> None:
    assert (SENDPULSE.name, SENDPULSE.title, SENDPULSE.base_url) == (
        "sendpulse",
        "SendPulse",
        "https://api.sendpulse.com",
    )


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (401, "Unauthorized!", 401, Kind.UNAUTHENTICATED),
        (403, "Unauthorized action.", 800, Kind.FORBIDDEN),
        (403, "Account expired", 403, Kind.FORBIDDEN),
        (403, "Access denied! Please change your tariff plan", 3030303030, Kind.FORBIDDEN),
        (422, "Your tariff does not allow the operation", 422, Kind.FORBIDDEN),
        (422, "Your tariff plan ended", 422, Kind.FORBIDDEN),
        (404, "Book not found", 213, Kind.NOT_FOUND),
        (404, "Variable not found", 299, Kind.NOT_FOUND),
        (404, "Template not found", 31, Kind.NOT_FOUND),
        (422, "Template not found", 31, Kind.NOT_FOUND),
        (404, "Template not found", 290, Kind.NOT_FOUND),
        (404, "No such page", 404, Kind.NOT_FOUND),
        (400, "No such email", 14, Kind.NOT_FOUND),
        (400, "No such emails", 14, Kind.NOT_FOUND),
        (400, "Empty emails", 14, Kind.INVALID),
        (400, "Emails param empty or incorrect", 832, Kind.INVALID),
        (422, "Email address not found", 502, Kind.NOT_FOUND),
        (422, "Email is not valid", 17, Kind.INVALID),
        (422, "No emails", 303, Kind.NOT_FOUND),
        (422, "Sender not found", 1003, Kind.NOT_FOUND),
        (422, "Argument bookName missing", 422, Kind.INVALID),
        (422, "Name already in use", 203, Kind.DUPLICATE),
        (422, "Template with such name already exist", 573, Kind.DUPLICATE),
        (422, "Email already in use", 902, Kind.DUPLICATE),
        (422, "This email in blacklist", 904, Kind.INVALID),
        (422, "Addressbook is empty", 211, Kind.INVALID),
        (422, "The address book has active campaign", 422, Kind.INVALID),
        (422, "Badly formed data. Check API documentation", 21356, Kind.INVALID),
        (422, "5.5.3 Too many recipients", 550, Kind.INVALID),
        (422, "Sender is not valid", 422, Kind.INVALID),
        (422, "invalid operation", 800, Kind.INVALID),
        (422, "No such SMTP user, you need to create SMTP account first", 400, Kind.SWITCHED_OFF),
        (422, "Sending quota or bandwidth exceeded", 422, Kind.QUOTA),
        (422, "Sending from your account is currently limited. Please try later.", 422, Kind.QUOTA),
        (422, "No more than 5 are allowed per day", 422, Kind.QUOTA),
        (400, "not enough balance", 707, Kind.QUOTA),
        (400, "recipients exceed plan", 708, Kind.QUOTA),
        (400, "API campaign limit", 791, Kind.QUOTA),
        (400, "wait before the next push", 711, Kind.QUOTA),
        (400, "list not found", 703, Kind.NOT_FOUND),
        (400, "sender not found", 704, Kind.NOT_FOUND),
        (400, "probably already sent", 602, Kind.NOT_FOUND),
        (400, "campaign not found", 802, Kind.NOT_FOUND),
        (400, "past date", 799, Kind.INVALID),
        (429, "Too Many Attempts.", 429, Kind.RATE_LIMITED),
        (400, "more than 10 requests", 2020202020, Kind.RATE_LIMITED),
        (503, "more than 10 requests", 2020202020, Kind.RATE_LIMITED),
        (500, "Server Error", 500, Kind.SERVER),
        (418, "a code nobody has seen", 123456, Kind.UNEXPECTED),
    ],
)
def test_the_vendors_envelope_is_sorted_by_code_words_and_status(
    status: int, message: str, code: int, kind: Kind
) -> None:
    refusal = refused(status, {"message": message, "error_code": code})
    assert (refusal.kind, refusal.message, refusal.code) == (kind, message, str(code))


def test_a_code_printed_as_a_string_is_the_same_code() -> None:
    assert refused(404, {"message": "Book not found", "error_code": "213"}).kind is Kind.NOT_FOUND


@pytest.mark.parametrize("status", [400, 401])
def test_a_wrong_client_secret_is_unauthenticated_whatever_the_status(status: int) -> None:
    said = {
        "error": "invalid_client",
        "error_description": "Client authentication failed",
        "message": "Client authentication failed",
    }
    refusal = refused(status, said)
    assert refusal.kind is Kind.UNAUTHENTICATED
    assert refusal.message == "Client authentication failed"
    assert "client id and secret" in refusal.advice


def test_a_wrong_grant_type_is_invalid() -> None:
    said = {"error": "unsupported_grant_type", "error_description": "not supported"}
    refusal = refused(400, said)
    assert (refusal.kind, refusal.message) == (Kind.INVALID, "not supported")


@pytest.mark.parametrize(("status", "code"), [(401, 401), (403, 800)])
def test_being_shut_out_names_the_list_of_allowed_addresses(status: int, code: int) -> None:
    assert "IP addresses" in refused(status, {"message": "no", "error_code": code}).advice


def test_the_frameworks_validation_tells_each_fault_once() -> None:
    said = {
        "message": "The given data was invalid.",
        "errors": {"a": ["A is missing.", "A is short."], "b": ["A is short."]},
    }
    refusal = refused(422, said)
    assert refusal.kind is Kind.INVALID
    assert refusal.message == "The given data was invalid: A is missing.; A is short."


@pytest.mark.parametrize("status", [200, 422])
def test_the_second_version_says_success_false(status: int) -> None:
    refusal = refused(status, {"success": False, "data": {"url": ["The url is invalid."]}})
    assert refusal.message == "The url is invalid."
    assert refusal.kind is (Kind.INVALID if status == 422 else Kind.UNEXPECTED)


def test_http_200_can_be_a_refusal() -> None:
    refusal = refused(200, {"is_error": True, "error_code": 301, "message": "Wrong parameters"})
    assert (refusal.kind, refusal.code, refusal.message) == (Kind.INVALID, "301", "Wrong parameters")
    assert refused(200, {"message": "slow down", "error_code": 2020202020}).kind is Kind.RATE_LIMITED
    assert refused(200, {"error": "invalid_client", "error_description": "no"}).kind is Kind.UNAUTHENTICATED
    assert refused(200, {"is_error": 1, "http_code": 404}).kind is Kind.NOT_FOUND
    assert refused(200, {"success": True, "failure": True, "http_code": 200}).kind is Kind.UNEXPECTED


@pytest.mark.parametrize(
    "body",
    [
        {"result": True},
        {"result": False},
        {"id": 1, "message": {"subject": "is_error"}},
        {"success": True, "failure": False, "http_code": 200, "code": "request_sended_to_queue"},
        {"result": True, "error_code": 0},
        {"result": True, "is_error": False},
        {"data": {"is_error": True}},
        [],
        [{"error_code": 1}],
        b"",
        b"\xef\xbb\xbf[]",
        b"<html>",
    ],
)
def test_other_successes_are_no_refusals(body: Any) -> None:
    assert read(200, body) is None


def test_a_broken_page_is_the_services_failure_and_is_not_quoted() -> None:
    page = b"<!DOCTYPE html><html><body>Whoops: ann@example.com</body></html>"
    refusal = refused(500, page, {"content-type": "text/html; charset=UTF-8"})
    assert refusal.kind is Kind.SERVER
    assert refusal.message == f"an answer of {len(page)} bytes, text/html, instead of a reason"
    assert "cannot parse" in refusal.advice


def test_an_empty_refusal_is_told_as_such() -> None:
    assert refused(502, b"", {}).message == "an empty answer"
    assert refused(301, b"", {}).kind is Kind.UNEXPECTED


@pytest.mark.parametrize("code", [791, 711, 707, 3030303030, 213, 1003, 602])
def test_a_code_that_says_what_to_do_comes_with_advice(code: int) -> None:
    assert refused(422, {"message": "no", "error_code": code}).advice


def test_long_words_are_shortened() -> None:
    assert len(refused(422, {"message": "x" * 10_000}).message) == LONGEST_LOOK + 1


@given(status=st.integers(300, 599), body=st.binary(max_size=200))
def test_no_bytes_break_the_reader(status: int, body: bytes) -> None:
    assert SENDPULSE.refusal(status, {}, body) is not None


def test_neither_does_a_body_nested_too_deeply() -> None:
    assert refused(422, b'{"message":' * 100_000).kind is Kind.INVALID
    assert read(200, b'{"error_code":' * 100_000) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("message", "error_code", "error", "errors", "success", "data", "is_error", "http_code", "failure")


@given(status=st.integers(300, 599), said=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_every_refusal_has_a_kind_whatever_its_fields_hold(status: int, said: dict[str, Any]) -> None:
    refusal = refused(status, said)
    assert isinstance(refusal.kind, Kind)
    assert refusal.code is None or isinstance(refusal.code, str)
    assert len(refusal.message) <= LONGEST_LOOK + 1


@given(said=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_no_success_breaks_the_reader_either(said: dict[str, Any]) -> None:
    refusal = read(200, said)
    if said.get("success") is False or said.get("is_error") is True:
        assert refusal is not None
