"""Building responses: JSON, plain sentences labelled JSON, empty bodies; and the vendors' serializer quirks.

`Refused` is how any code below an endpoint ends a request with an error; the service puts it into its own words'
shape (see `plug.Service.refuse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json;charset=UTF-8"


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of JSON."""
    return Response(msgspec.json.encode(value), status, headers=headers, media_type=JSON)


def sentence(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A bare sentence that calls itself JSON, as eSputnik's older methods do."""
    return Response(text.encode(), status, headers=headers, media_type=JSON)


def empty(status: int = 200) -> Response:
    """No body and no content type."""
    return Response(b"", status)


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
