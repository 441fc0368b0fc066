"""SendPulse's error responses: its envelope, that of its second version, and the HTML page of a broken program.

An endpoint raises `invalid(...)`, `missing(...)` and the like; `refuse` turns them, and the router's own refusals,
into the vendor's ``{"message", "error_code"}``.
"""

from __future__ import annotations

import math

from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..state import SandboxState

TOO_OFTEN = 2020202020
"""The vendor's code for more than ten requests a second."""

_PAGE = (
    "<!DOCTYPE html><html><head><title>Server Error</title></head>"
    "<body><h1>Whoops, looks like something went wrong.</h1></body></html>"
)


class Answered(Refused):
    """A refusal whose answer is ready as it is, for what the envelope cannot say.

    :ivar response: what is answered.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code, "")
        self.response = response


def invalid(text: str, code: int = 422) -> Refused:
    """Return an HTTP 422 with one of the vendor's codes."""
    return Refused(422, text, code)


def not_found(text: str, code: int = 404) -> Refused:
    """Return an HTTP 404 with one of the vendor's codes."""
    return Refused(404, text, code)


def badly_formed() -> Refused:
    """Return the refusal of a body that is not what the method reads."""
    return invalid("Badly formed data. Check API documentation", 21356)


def broken(state: SandboxState) -> Refused:
    """Return the error of a vendor program that fails on the body: an HTML page, or (by a setting) `badly_formed`."""
    if not state.settings["sendpulse.html_500"]:
        return badly_formed()
    return Answered(Response(_PAGE, 500, media_type="text/html; charset=UTF-8"))


def second_version(text: str, status: int = 422) -> Refused:
    """Return a refusal in the words of the methods under ``/v2``."""
    return Answered(responses.json({"success": False, "data": {"message": text}}, status))


def too_often(text: str, code: int, wait: float) -> Refused:
    """Return the refusal by the limit of one method; the router checks the limits of the whole account."""
    return Refused(429, text, code, wait=wait)


def refuse(state: SandboxState, refused: Refused) -> Response:
    """Return a refusal in the vendor's envelope: ``{"message": str, "error_code": int}``."""
    if isinstance(refused, Answered):
        return refused.response
    headers = dict(refused.headers)
    if refused.wait is not None and state.settings["sendpulse.retry_after"]:
        headers["Retry-After"] = str(max(1, math.ceil(refused.wait)))
    code = refused.code
    if code is None:
        code = TOO_OFTEN if refused.status == 429 else refused.status
    return responses.json({"message": refused.text, "error_code": code}, refused.status, headers)
