"""Keep web pages of other origins away: a sandbox runs beside a browser that has other pages open.

A page elsewhere can have a browser post a form here, or open an address of ours in a window, whatever the answer. It
could set a fault that answers with a script, read the contacts by it, or empty a database file. Browsers say who asks,
in headers that no page can change (Fetch Metadata, and ``Origin``); other programs send none, and are answered.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_OURS = ("same-origin", "none")  # none: typed into the address bar, or a bookmark
_CONTROL = "/_sandbox"
_AUTHORISATION = "/uaa/"


class SameOrigin:
    """ASGI middleware that refuses what a page of another origin has a browser send.

    Following a link to a page that changes nothing stays possible, also from another port of this machine: Airflow's
    links lead to the sandbox's pages, and an application sends a person to the consent page.

    :param app: what answers the rest.
    :param services: prefixes of paths that are no pages, but methods of a service.
    """

    def __init__(self, app: ASGIApp, services: tuple[str, ...]) -> None:
        self._app = app
        self._services = tuple(prefix for prefix in services if prefix != _AUTHORISATION)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                status, sentence = refusal
                await PlainTextResponse(sentence, status)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        if not (_is_ours(scope, headers) or self._is_visit(scope, headers)):
            return 403, "The sandbox takes no requests that a web page of another origin makes."
        if scope["method"] == "POST" and _is_below(scope["path"], _CONTROL):
            kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return 415, "The control API takes JSON: send Content-Type: application/json."
        return None

    def _is_visit(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        """Check whether a person follows a link to a page, in the browser's own window."""
        return (
            scope["method"] in ("GET", "HEAD")
            and headers.get(b"sec-fetch-mode") == "navigate"
            and headers.get(b"sec-fetch-dest") == "document"
            and not scope["path"].startswith(self._services)
            and not _is_below(scope["path"], _CONTROL)
        )


def _is_ours(scope: Scope, headers: dict[bytes, str]) -> bool:
    """Check whether a request comes from a page of this very origin, from the address bar, or from no browser."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site not in _OURS:
        return False
    if origin is None or (origin == "null" and site == "same-origin"):  # null: our pages send no referrer
        return True
    return origin.lower() == f"{scope['scheme']}://{headers.get(b'host', '')}".lower()


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
