"""Building responses: JSON, plain sentences labelled JSON, empty bodies; and the vendors' serializer quirks.

`Refused` is how any code below an endpoint ends a request with an error; the service puts it into its own
shape (see `service.Service.refuse`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json;charset=UTF-8"


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of JSON."""
    return Response(msgspec.json.encode(value), status, headers=headers, media_type=JSON)


def sentence(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a bare sentence that calls itself JSON, as eSputnik's older methods do."""
    return Response(text.encode(), status, headers=headers, media_type=JSON)


def empty(status: int = 200) -> Response:
    """Return a response without body and content type."""
    return Response(b"", status)


_KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "array": "a list"}
_WRONG = re.compile(r"Expected `(\w+)[^`]*`(?:, got `[^`]*`)?(?: - at `([^`]*)`)?")
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?")


def describe(error: msgspec.ValidationError) -> str:
    """Describe what is wrong with a body, in the services' words and not the library's."""
    text = str(error)
    if missing := _MISSING.match(text):
        place = f"{missing[2]}." if missing[2] else ""
        return f"{place}{missing[1]} should not be empty"
    wrong = _WRONG.match(text)
    place = (wrong[2] if wrong else text.rpartition(" - at `")[2].rstrip("`")) or ""
    name = place.removeprefix("$").removeprefix(".") or "body"
    return f"{name} should be {_KINDS.get(wrong[1], 'an object')}" if wrong else f"{name} is not valid"


class Refused(Exception):
    """The request ends here, with an error.

    :param status: HTTP status.
    :param text: what is wrong, in the vendor's words where they are known.
    :param code: the vendor's own error code, where it has such.
    :param headers: extra response headers.
    :param wait: for 429: seconds until there is room again; a service may say so in ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        text: str,
        code: int | None = None,
        headers: Mapping[str, str] | None = None,
        wait: float | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code
        self.headers = dict(headers or {})
        self.wait = wait
