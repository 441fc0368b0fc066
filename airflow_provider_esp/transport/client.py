"""The two drivers of `exchange.perform`, and the only module that knows httpx.

`Client` does what each step asks for and sleeps; `AsyncClient` awaits. Both read answers as a stream, so that
a service which drips for ever meets the limit for the whole request, and both map httpx's exceptions to `Lost`
in one place.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from airflow_provider_esp.services.call import Page, Pages
from airflow_provider_esp.services.hosts import is_loopback
from airflow_provider_esp.transport import errors
from airflow_provider_esp.transport.exchange import (
    Account,
    Answer,
    Lost,
    Refresh,
    Request,
    Run,
    Send,
    Step,
    Wait,
    Work,
    perform,
    perform_pages,
)

T = TypeVar("T")
R = TypeVar("R")

# Shorter than servers keep an idle connection: a request that meets one just closed could not be sent again
# where it is not repeatable, because nobody can tell whether it arrived.
_IDLE_SECONDS = 2.0
_CONNECTIONS = 100
# Each idle connection is looked at for each request; a few are enough for whoever asks the same again and again.
_IDLE_CONNECTIONS = 10

_sending: ContextVar[bool] = ContextVar("esp_sending", default=False)


def _not_ours(record: logging.LogRecord) -> bool:
    """Drop httpx's line for each request of ours: it quotes the URL, and URLs can hold addresses and secrets."""
    return not _sending.get()


logging.getLogger("httpx").addFilter(_not_ours)


@contextmanager
def _quietly() -> Iterator[None]:
    before = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(before)


class Client:
    """Runs calls, flows and pages; one may be shared by threads.

    :param account: whom it works for.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._http = httpx.Client(**_options(account))

    def run(self, work: Work[T]) -> T:
        """Carry out a call or a flow and return its answer.

        :raises EspError: with the service, the method, and what to do next.
        """
        run = Run(perform(work, self.account))
        while run.step is not None:
            self._advance(run)
        return run.answer

    def iterate(self, pages: Pages[R]) -> Iterator[R]:
        """Hand out the rows of a long answer as its pages come."""
        run = Run(perform_pages(pages, self.account))
        while run.step is not None:
            if isinstance(run.step, Page):
                yield from run.step.rows
                run.tell(None)
            else:
                self._advance(run)

    def _advance(self, run: Run[Any]) -> None:
        try:
            outcome = self._do(run.step)
        except errors.EspError as error:
            run.fail(error)
        else:
            run.tell(outcome)

    def _do(self, step: Step) -> Any:
        match step:
            case Wait(seconds):
                return time.sleep(seconds)
            case Refresh(tokens, stale):
                return tokens.renew(stale).result()
            case Send(request):
                return self._send(request)

    def _send(self, request: Request) -> Answer | Lost:
        end = time.monotonic() + self.account.timeouts.total
        try:
            with (
                _quietly(),
                self._http.stream(
                    request.method, request.url, headers=request.headers, content=request.content
                ) as response,
            ):
                chunks = []
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    if time.monotonic() > end:
                        return _too_long(self.account)
                return _answer(response, b"".join(chunks))
        except _FAILURES as error:
            return _lost(error, self.account)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class AsyncClient:
    """What `Client` does, on an event loop.

    :param account: whom it works for.
    """

    def __init__(self, account: Account) -> None:
        import_backend()
        self.account = account
        self._http = httpx.AsyncClient(**_options(account))

    async def run(self, work: Work[T]) -> T:
        """Carry out a call or a flow and return its answer; see `Client.run`."""
        run = Run(perform(work, self.account))
        while run.step is not None:
            await self._advance(run)
        return run.answer

    async def iterate(self, pages: Pages[R]) -> AsyncIterator[R]:
        """Hand out the rows of a long answer as its pages come; see `Client.iterate`."""
        run = Run(perform_pages(pages, self.account))
        while run.step is not None:
            if isinstance(run.step, Page):
                for row in run.step.rows:
                    yield row
                run.tell(None)
            else:
                await self._advance(run)

    async def _advance(self, run: Run[Any]) -> None:
        try:
            outcome = await self._do(run.step)
        except errors.EspError as error:
            run.fail(error)
        else:
            run.tell(outcome)

    async def _do(self, step: Step) -> Any:
        match step:
            case Wait(seconds):
                return await asyncio.sleep(seconds)
            case Refresh(tokens, stale):
                return await asyncio.wrap_future(tokens.renew(stale))
            case Send(request):
                return await self._send(request)

    async def _send(self, request: Request) -> Answer | Lost:
        try:
            with _quietly():
                async with asyncio.timeout(self.account.timeouts.total):
                    response = await self._http.request(
                        request.method, request.url, headers=request.headers, content=request.content
                    )
                return _answer(response, response.content)
        except TimeoutError:
            return _too_long(self.account)
        except _FAILURES as error:
            return _lost(error, self.account)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


@cache
def import_backend() -> None:
    """Import what httpx would import while its first asynchronous request is under way.

    That takes a tenth of a second, in which a loop stands still and the request arrives beside those behind it.
    """
    for name in ("anyio", "anyio._backends._asyncio", "httpcore._backends.anyio"):
        with suppress(ImportError):  # how httpx is built inside is its own affair
            import_module(name)


def _options(account: Account) -> dict[str, Any]:
    limits = account.timeouts
    return {
        "timeout": httpx.Timeout(limits.silence, connect=limits.connect),
        "limits": httpx.Limits(
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        ),
        "verify": ssl.create_default_context(cafile=account.ca_bundle) if account.ca_bundle else True,
        # A proxy from the environment is for the world outside, not for a sandbox on this machine.
        "trust_env": not is_loopback(account.base_url),
    }


def _answer(response: httpx.Response, content: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)


def _too_long(account: Account) -> Lost:
    return Lost(errors.TimedOut, f"no whole answer within {account.timeouts.total:g} s", sent=True)


_FAILURES = (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError)


def _lost(error: Exception, account: Account) -> Lost:
    """Say what an exception of httpx means, in words that hold neither URL nor address."""
    host = urlsplit(account.base_url).netloc
    limits = account.timeouts
    match error:
        case httpx.ConnectTimeout():
            return Lost(errors.ConnectionFailed, f"no connection to {host} within {limits.connect:g} s", sent=False)
        case httpx.PoolTimeout():
            return Lost(errors.ConnectionFailed, "all connections were busy for too long", sent=False)
        case httpx.LocalProtocolError() | UnicodeEncodeError():
            # What it says would quote the header, and the credential is the one thing in it that we did not make.
            return Lost(
                errors.Unauthenticated, "the credential holds a character that no request can carry", sent=False
            )
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return Lost(errors.ConnectionFailed, f"the request could not be made: {_reason(error)}", sent=False)
        case httpx.ConnectError() | httpx.ProxyError():
            return Lost(errors.ConnectionFailed, f"no connection to {host}: {_reason(error)}", sent=False)
        case httpx.TimeoutException():
            return Lost(errors.TimedOut, f"no answer within {limits.silence:g} s", sent=True)
        case httpx.DecodingError():
            return Lost(errors.UnexpectedAnswer, f"the answer cannot be decompressed: {_reason(error)}", sent=True)
        case _:
            return Lost(
                errors.ConnectionLost, f"the connection broke before the whole answer came: {_reason(error)}", sent=True
            )


def _reason(error: Exception) -> str:
    return errors.redact(str(error)) or type(error).__name__
