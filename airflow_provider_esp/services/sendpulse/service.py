"""What all SendPulse calls share, above all how the service says no.

SendPulse refuses in several dialects: its own envelope ``{message, error_code}``, the OAuth library's
``{error, error_description}``, the framework's validation errors, ``{success: false}`` in its second version,
now and then HTTP 200 with ``{is_error: true}``, and HTML pages where it broke. The vendor's code tells most; one
code can come with several HTTP statuses and the reverse, so the code is asked first, then the words, then the status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from airflow_provider_esp.core.calls import Kind, Refusal, Service
from airflow_provider_esp.utils.redaction import LONGEST_LOOK

Verdict: TypeAlias = tuple[Kind, str]

_LONGEST_MESSAGE = LONGEST_LOOK + 1

_ALLOW_LIST = "if the account allows its API to certain IP addresses only, add this machine's"
_CREDENTIALS = (
    "Check client id and secret (or the API key) of the connection, and that the REST API is switched on in the "
    f"account's settings; {_ALLOW_LIST}."
)
_NOT_ALLOWED = f"Check the account's plan, whether it has expired, and its rights; {_ALLOW_LIST}."
_SENDER = "Use a sender that the account's settings list as active, on a domain of your own."
_BOOK = "Check the mailing list's id or name; it may belong to another account."
_PLAN = "Change the plan in the account's settings, or leave the feature out."
_MONEY = "Top up the balance or change the plan in the account's settings."
_RATE = "Lower rate_share or the bucket in the connection's extra, or run fewer tasks at once."
_BROKEN = "Try again later; the service also breaks like this on a body it cannot parse."

_BY_CODE: dict[str, Verdict] = {
    "8": (Kind.INVALID, ""),
    "10": (Kind.INVALID, ""),
    "11": (Kind.INVALID, ""),
    "12": (Kind.INVALID, ""),
    "13": (Kind.INVALID, ""),
    "14": (Kind.NOT_FOUND, "Check the id or address; a message sent a moment ago may not be listed yet."),
    "17": (Kind.NOT_FOUND, ""),
    "19": (Kind.DUPLICATE, "It exists already; use the one that is there."),
    "20": (Kind.INVALID, _SENDER),
    "21": (Kind.NOT_FOUND, "No sender is waiting to be activated."),
    "31": (Kind.NOT_FOUND, "Check the template's id; it may belong to another account."),
    "32": (Kind.INVALID, "Give the template a body."),
    "97": (Kind.INVALID, _SENDER),
    "201": (Kind.INVALID, ""),
    "203": (Kind.DUPLICATE, "A mailing list of that name exists; use it or choose another name."),
    "211": (Kind.INVALID, "The mailing list is empty; upload contacts first."),
    "213": (Kind.NOT_FOUND, _BOOK),
    "290": (Kind.NOT_FOUND, "Check the template's id; it may belong to another account."),
    "299": (Kind.NOT_FOUND, "Check the variable's name; the mailing list does not have it."),
    "301": (Kind.INVALID, ""),
    "303": (Kind.NOT_FOUND, "None of the addresses is in the mailing list."),
    "502": (Kind.NOT_FOUND, "The address is not in the mailing list; upload it first."),
    "550": (Kind.INVALID, "Send to fewer recipients at once."),
    "573": (Kind.DUPLICATE, "A template of that name exists; choose another name."),
    "602": (Kind.NOT_FOUND, "The campaign has probably been sent already."),
    "701": (Kind.INVALID, _SENDER),
    "703": (Kind.NOT_FOUND, _BOOK),
    "704": (Kind.NOT_FOUND, _SENDER),
    "707": (Kind.QUOTA, _MONEY),
    "708": (Kind.QUOTA, _MONEY),
    "711": (Kind.QUOTA, "One push campaign per site in fifteen minutes: set the task's retry_delay to that."),
    "720": (Kind.INVALID, ""),
    "721": (Kind.INVALID, ""),
    "722": (Kind.INVALID, ""),
    "731": (Kind.INVALID, ""),
    "791": (Kind.QUOTA, "Four campaigns an hour are allowed: set the task's retry_delay to 15 minutes or more."),
    "799": (Kind.INVALID, "Give a date to come, in the account's own time zone."),
    "802": (Kind.NOT_FOUND, "Check the campaign's id; it may belong to another account."),
    "901": (Kind.INVALID, _SENDER),
    "902": (Kind.DUPLICATE, "The sender exists already."),
    "903": (Kind.INVALID, _SENDER),
    "904": (Kind.INVALID, "The address is on the account's blacklist."),
    "905": (Kind.INVALID, _SENDER),
    "906": (Kind.INVALID, _SENDER),
    "999": (Kind.INVALID, ""),
    "1003": (Kind.NOT_FOUND, _SENDER),
    "1004": (Kind.QUOTA, "A sender's code can be asked for every fifteen minutes."),
    "2900": (Kind.INVALID, ""),
    "21356": (Kind.INVALID, ""),
    "2020202020": (Kind.RATE_LIMITED, _RATE),
    "3030303030": (Kind.FORBIDDEN, _PLAN),
}
"""Codes of the vendor's registry whose meaning is known; the rest is judged by words and status."""

_BY_WORDS: tuple[tuple[str, Kind, str], ...] = (
    ("empty emails", Kind.INVALID, ""),
    ("email is not valid", Kind.INVALID, ""),
    ("no such smtp user", Kind.SWITCHED_OFF, "Switch the SMTP service on in the account's settings."),
    ("quota or bandwidth exceeded", Kind.QUOTA, _MONEY),
    ("currently limited", Kind.QUOTA, "The service has limited the account's sending; ask its support."),
    ("allowed per day", Kind.QUOTA, "Try again tomorrow."),
    ("tariff", Kind.FORBIDDEN, _PLAN),
    ("sender is not valid", Kind.INVALID, _SENDER),
    ("dmarc policy", Kind.INVALID, _SENDER),
    ("has active campaign", Kind.INVALID, "Wait for the mailing list's campaign to end, or cancel it."),
)
"""Words of refusals whose code says nothing (422) or means several things; these come before the codes."""

_BY_STATUS: dict[int, Verdict] = {
    400: (Kind.INVALID, ""),
    402: (Kind.QUOTA, _MONEY),
    403: (Kind.FORBIDDEN, _NOT_ALLOWED),
    404: (Kind.NOT_FOUND, ""),
    405: (Kind.INVALID, ""),
    409: (Kind.DUPLICATE, "It exists already; use the one that is there."),
    410: (Kind.NOT_FOUND, ""),
    413: (Kind.INVALID, "Send less at once."),
    422: (Kind.INVALID, ""),
}

_SIGNS_OF_REFUSAL = (b'"is_error"', b'"error_code"', b'"success"', b'"failure"', b'"error_description"')


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """Read an answer of SendPulse's.

    :param status: HTTP status.
    :param headers: names in lower case.
    :param body: as it came.
    :returns: what was refused and what to do, or None for a success.
    """
    if 200 <= status < 300:
        # Successes can be long: only those are decoded here that hold a word of a refusal.
        if not body.lstrip().startswith(b"{") or not any(sign in body for sign in _SIGNS_OF_REFUSAL):
            return None
        said = _fields(body)
        if not _refuses(said):
            return None
        status = _number(said.get("http_code")) or status
    else:
        said = _fields(body)
    code = _code(said)
    message = _words(said) or _page(headers, body)
    kind, advice = _judge(status, code, message, said)
    return Refusal(kind, message[:_LONGEST_MESSAGE], code, advice)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}  # an HTML page or a plain sentence: `_page` speaks for it
    return said if isinstance(said, dict) else {}


def _refuses(said: dict[str, Any]) -> bool:
    """Check whether an answer with HTTP 2xx is no success after all."""
    return (
        said.get("is_error") in (True, 1)
        or said.get("success") is False
        or said.get("failure") is True
        or _code(said) is not None
        or "error_description" in said
    )


def _judge(status: int, code: str | None, message: str, said: dict[str, Any]) -> Verdict:
    if status == 401 or said.get("error") in ("invalid_client", "access_denied"):
        return Kind.UNAUTHENTICATED, _CREDENTIALS
    if status == 429:
        return Kind.RATE_LIMITED, _RATE
    lower = message.lower()
    for words, kind, advice in _BY_WORDS:
        if words in lower:
            return kind, advice
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    if status >= 500:
        return Kind.SERVER, _BROKEN
    return _BY_STATUS.get(status, (Kind.UNEXPECTED, ""))


def _code(said: dict[str, Any]) -> str | None:
    """Read the vendor's code: a number or digits; nothing and zero are none."""
    code = said.get("error_code")
    return (
        str(code) if isinstance(code, int | str) and not isinstance(code, bool) and str(code) not in ("", "0") else None
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _words(said: dict[str, Any]) -> str:
    """Put together what a refusal says: its message, then what the validation found wrong with which field."""
    spoken = [said.get(name) for name in ("message", "error_description", "description", "error")]
    first = next((words for words in spoken if isinstance(words, str) and words), "")
    found = [*_sentences(said.get("errors")), *(_sentences(said.get("data")) if said.get("success") is False else ())]
    faults = "; ".join(dict.fromkeys(found))
    return f"{first.rstrip('.')}: {faults}" if first and faults else first or faults


def _sentences(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _sentences(item)
    elif isinstance(value, list):
        for item in value:
            yield from _sentences(item)


def _page(headers: Mapping[str, str], body: bytes) -> str:
    """Describe a body that is not the vendor's JSON without repeating it: pages quote requests."""
    if not body.strip():
        return "an empty answer"
    kind = headers.get("content-type", "").partition(";")[0].strip() or "no content type"
    return f"an answer of {len(body)} bytes, {kind}, instead of a reason"


SENDPULSE = Service(name="sendpulse", title="SendPulse", base_url="https://api.sendpulse.com", refusal=refusal)
"""SendPulse. It documents no header with a request id, so errors carry none."""
