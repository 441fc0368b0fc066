"""eSputnik as a service: where it lives, and how its refusals read.

Error bodies are plain sentences most of the time, JSON objects some of the time and HTML pages when a proxy
answers; their status decides what they are, except for a method that is switched off in the account, which
comes as an ordinary 400 and is known by its words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Kind, Refusal, Service
from airflow_provider_esp.utils.redaction import LONGEST_LOOK

_LONGEST = LONGEST_LOOK + 1
_LONGEST_HEAD = 10_000  # bytes of a page that its headline is looked for in
_TAG = re.compile(r"<[^>]*>")
_HEADLINE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_SWITCHED_OFF = re.compile(r"\bsupport\b.*\b(enable|activate)|\b(enable|activate)d?\b.*\bsupport\b", re.IGNORECASE)
_NOT_FOUND = re.compile(r"\bnot\s+found\b", re.IGNORECASE)
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_REPEATED = re.compile(r"duplicat|repeat", re.IGNORECASE)

_ADVICE = {
    401: "Check the connection's API key: a key that was not used for 90 days is disabled, and a key may be "
    "switched off or limited to other methods (account settings, API keys).",
    403: "The API key or application has no right to this method: widen it in the account's settings.",
    405: "Check the connection's host: its base URL ends in /api.",
    413: "Send less in one request.",
    415: "The service does not take JSON here: check that the connection's host is eSputnik's API.",
    419: "The period is longer than 90 days: ask for 90 days at most.",
}
_SUPPORT = "Ask eSputnik's support to switch this on for your account."


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """Read an answer that may be a refusal.

    :param status: HTTP status.
    :param headers: with lower-case names.
    :param body: as it came.
    :return: what is refused and why; None where the answer is a success.
    """
    if 200 <= status < 300:
        if _HTML.match(body):
            return Refusal(
                Kind.UNEXPECTED,
                f"a web page instead of an answer: {_headline(body)}",
                advice="Check the connection's host: a proxy or a website answered in eSputnik's place.",
            )
        # A success can say in passing that it is none: an answer with nothing but an error message.
        failure = _failure(body) if b'"errorMessage"' in body else ""
        return Refusal(Kind.INVALID, failure) if failure else None
    message = _message(body)
    kind = _kind(status, message)
    return Refusal(kind, message, advice=_SUPPORT if kind is Kind.SWITCHED_OFF else _ADVICE.get(status, ""))


def _kind(status: int, message: str) -> Kind:
    if status >= 500 or status == 408:
        return Kind.SERVER
    if status < 400:
        return Kind.UNEXPECTED
    if status not in (401, 429) and _SWITCHED_OFF.search(message):
        return Kind.SWITCHED_OFF
    match status:
        case 401:
            return Kind.UNAUTHENTICATED
        case 403:
            return Kind.FORBIDDEN
        case 404:
            return Kind.NOT_FOUND
        case 429:
            return Kind.RATE_LIMITED
        case 400 if _NOT_FOUND.search(message):
            # The status of "… not found" on deleting an unknown contact is not documented: read either way.
            return Kind.NOT_FOUND
        case 409 if not message or _REPEATED.search(message):
            # Any other conflict is refused for good: reading it as "already done" would lose a contact silently.
            return Kind.DUPLICATE
    return Kind.INVALID


class _Failure(msgspec.Struct, rename="camel"):
    error_message: str | None = None
    async_session_id: Any = None
    status: Any = None


def _failure(body: bytes) -> str:
    """Find why the whole request failed, in an answer that came as a success.

    Not where the answer names an import, its own or the one that was asked about: that import has more to tell.
    """
    try:
        answer = msgspec.json.decode(body, type=_Failure)
    except _NOT_JSON:
        return ""
    known = answer.async_session_id is None and answer.status is None
    return " ".join((answer.error_message or "").split())[:_LONGEST] if known else ""


def _message(body: bytes) -> str:
    """Find the sentence in an error body, whatever it is dressed in."""
    if _HTML.match(body):
        return _headline(body)
    try:
        said = _said(msgspec.json.decode(body))
    except _NOT_JSON:
        said = body.decode("utf-8", "replace")
    return " ".join(said.split())[:_LONGEST]


def _said(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return "; ".join(filter(None, map(_said, answer)))
    if isinstance(answer, dict):
        for key in ("message", "errorMessage", "error_description", "description", "error", "errors"):
            if said := _said(answer.get(key)):
                return said
    return ""


def _headline(body: bytes) -> str:
    page = body[:_LONGEST_HEAD].decode("utf-8", "replace")
    found = _HEADLINE.search(page)
    return " ".join(_TAG.sub(" ", found.group(2) if found else "").split())[:_LONGEST] or "no title"


ESPUTNIK = Service(
    name="esputnik",
    title="eSputnik",
    base_url="https://esputnik.com/api",
    refusal=refusal,
)
"""eSputnik. The Yespo brand serves the same API at ``https://yespo.io/api``; no request id header is documented."""
