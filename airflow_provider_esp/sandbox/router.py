"""From an HTTP request to a service's endpoint and back: matching, credentials, limits, the transaction.

One router serves one service. Whatever the client sends, it gets the vendor's kind of response: an unknown path
is the vendor's 404, a wrong verb its 405, and a refusal raised anywhere below goes through the service's `refuse`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .responses import Refused
from .routing import Endpoint, Incoming
from .service import Service
from .state import SandboxState

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ServiceRouter:
    """ASGI application of one service."""

    def __init__(self, service: Service, state: SandboxState) -> None:
        self._service = service
        self._state = state
        self._table = [(_pattern(endpoint.path), endpoint) for routes in service.routes for endpoint in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            incoming = await self._read(request)
        except ClientDisconnect:
            return
        response = await run_in_threadpool(self._answer, incoming)
        await response(scope, receive, send)

    async def _read(self, request: Request) -> Incoming:
        body = await request.body()
        form: Mapping[str, str] = {}
        if request.headers.get("content-type", "").lower().startswith(_FORMS):
            # A body that only claims to be a form is left to the endpoint, which finds no field in it.
            with contextlib.suppress(MultiPartException, HTTPException, UnicodeDecodeError):
                form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        return Incoming(
            state=self._state,
            method=request.method,
            path=self._relative(request.scope),
            params={},
            query=request.query_params,
            headers=request.headers,
            body=body,
            form=form,
            secure=request.url.scheme == "https",
        )

    def _answer(self, incoming: Incoming) -> Response:
        try:
            endpoint, incoming.params = self._match(incoming.method, incoming.path)
            if not endpoint.open:
                incoming.account = self._service.authorise(incoming, endpoint)
            self._admit(endpoint, incoming)
            if not endpoint.locked:
                return endpoint.function(incoming)
            with self._state.store.transaction():
                if endpoint.settles:
                    self._service.settle(self._state)
                return endpoint.function(incoming)
        except Refused as refused:
            return self._service.refuse(self._state, refused)

    def label(self, scope: Scope) -> str:
        """Return the path of a request as the vendor writes it, ``v1/contact/{id}``; as sent where no method has it."""
        try:
            return self._match(scope["method"], self._relative(scope))[0].path
        except Refused:
            return str(scope["path"])

    def _match(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        allowed = []
        for pattern, endpoint in self._table:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if endpoint.method == method:
                return endpoint, {name: unquote(value) for name, value in found.groupdict().items()}
            allowed.append(endpoint.method)
        if allowed:
            raise Refused(405, "Method Not Allowed", headers={"Allow": ", ".join(sorted(set(allowed)))})
        raise Refused(404, "Not Found")

    def _relative(self, scope: Scope) -> str:
        """Return the path below the prefix, as sent (still percent-encoded), without double or trailing slashes."""
        path = re.sub("/+", "/", scope["raw_path"].decode("latin-1"))
        return path[len(self._service.prefix) :].strip("/")

    def _admit(self, endpoint: Endpoint, incoming: Incoming) -> None:
        buckets = endpoint.buckets or self._service.default_buckets(incoming.method)
        excess = self._state.limits.admit(buckets, incoming.account)
        if excess is not None:
            raise Refused(429, f"More than {excess.limit}", wait=excess.wait)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    # Odd parts are names of placeholders, even ones are literal text.
    return re.compile("".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)))
