"""`AsyncClient`, the asynchronous driver of `exchange.perform`, and the only module that knows aiohttp.

It does what `Client` does and awaits. A triggerer looks thousands of times a minute, where a request through aiohttp
takes a fraction of the processor time that httpx takes; see `benchmarks/waiting.py`. What aiohttp would do by itself
and must not (send a request again, follow a redirection, read passwords from a file, keep cookies) is switched off.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Page, Pages
from airflow_provider_esp.core.transport import network
from airflow_provider_esp.core.transport.account import Account
from airflow_provider_esp.core.transport.exchange import (
    Consult,
    FlowRunner,
    Refresh,
    Request,
    Response,
    Send,
    Step,
    TransportFailure,
    Wait,
    Work,
    perform,
    perform_pages,
)
from airflow_provider_esp.core.transport.response_bodies import Body
from airflow_provider_esp.exceptions import BodyRefused

T = TypeVar("T")
R = TypeVar("R")

# A body above this goes out in parts: aiohttp would write it in one go, and hold the loop.
_LARGE = 2**18
_ERRANDS = 2


class AsyncClient:
    """Runs calls, flows and pages on one event loop: that of the first request.

    Triggers read and wait, so what it asks goes before uploads and sends where rate limits are shared.

    :param account: whom it works for.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._free = asyncio.Semaphore(network.CONNECTIONS)
        self._proxies: dict[str, str | None] = {}

    @cached_property
    def _http(self) -> aiohttp.ClientSession:
        limits = self.account.timeouts
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=network.IDLE_SECONDS, ssl=network.certificates(self.account)
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.silence),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=["Content-Type"],
            middlewares=[_send_once],
            auto_decompress=False,
        )

    async def run(self, work: Work[T]) -> T:
        """Carry out a call or a flow and return its answer; see `Client.run`."""
        run = FlowRunner(perform(work, self.account, urgent=True))
        while run.step is not None:
            await self._advance(run)
        return run.answer

    async def iterate(self, pages: Pages[R]) -> AsyncIterator[R]:
        """Hand out the rows of a long answer as its pages come; see `Client.iterate`."""
        run = FlowRunner(perform_pages(pages, self.account, urgent=True))
        while run.step is not None:
            if isinstance(run.step, Page):
                for row in run.step.rows:
                    yield row
                run.tell(None)
            else:
                await self._advance(run)

    async def _advance(self, run: FlowRunner[Any]) -> None:
        try:
            outcome = await self._do(run.step)
        except exceptions.EspError as error:
            run.fail(error)
        else:
            run.tell(outcome)

    async def _do(self, step: Step) -> Any:
        match step:
            case Wait(seconds):
                return await asyncio.sleep(seconds)
            case Consult(errand):
                return await asyncio.get_running_loop().run_in_executor(_errands(), errand)
            case Refresh(tokens, stale):
                return await asyncio.wrap_future(tokens.renew(stale))
            case Send(request):
                return await self._send(request)

    async def _send(self, request: Request) -> Response | TransportFailure:
        limits = self.account.timeouts
        try:
            async with asyncio.timeout(limits.silence):
                await self._free.acquire()
        except TimeoutError:
            return network.all_busy()
        try:
            async with asyncio.timeout(limits.total):
                return await self._exchange(request)
        except BodyRefused as refused:
            return network.unusable(refused)
        except _FAILURES as error:
            return _lost(error, self.account)
        finally:
            self._free.release()

    async def _exchange(self, request: Request) -> Response:
        body = request.content
        async with self._http.request(
            request.method,
            _url(request),
            headers=request.headers,
            data=io.BytesIO(body) if body is not None and len(body) > _LARGE else body,
            allow_redirects=False,
            proxy=self._proxy_for(request.url),
        ) as response:
            read = Body(response.headers.get("Content-Encoding", ""), request.most_bytes)
            async for chunk in response.content.iter_any():
                read.add(chunk)
            return Response.of(response.status, response.headers.items(), read.end())

    def _proxy_for(self, url: str) -> str | None:
        host = "/".join(url.split("/", 3)[:3])
        if host not in self._proxies:  # reading the environment takes long
            self._proxies[host] = network.proxy_for(host)
        return self._proxies[host]

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if "_http" in self.__dict__:
            await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


@cache
def _errands() -> ThreadPoolExecutor:
    """Make threads of our own: those that a loop has by itself are few, and others fill them."""
    return ThreadPoolExecutor(_ERRANDS, thread_name_prefix="esp-rates")


def _url(request: Request) -> URL:
    """Return the URL as it is; what is percent-encoded already must not be encoded anew.

    :raises aiohttp.InvalidURL: it is none.
    """
    try:
        url = URL(request.url, encoded=request.url.isascii())
        host = url.raw_host  # yarl looks at host and port no earlier than this
    except ValueError:
        host = None
    if not host:
        raise aiohttp.InvalidURL("")
    return url


class _Broken(Exception):
    """A connection broke; none of the errors after which aiohttp sends a request again."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from a second try of its own, of which neither our rate limits nor our caller would know."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent, and aiohttp leaves it at that
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken(network.why(error)) from error


_FAILURES = (aiohttp.ClientError, exceptions.UnusableProxy, _Broken, TimeoutError)


def _lost(error: Exception, account: Account) -> TransportFailure:
    """Return what an exception of aiohttp means."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return network.not_connected_in_time(account)
        case aiohttp.ClientConnectorError():
            return network.not_connected(account, network.why(error.os_error))
        case aiohttp.ClientHttpProxyError():
            return network.not_connected(account, f"the proxy refused: {error.message}")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return network.not_made("URL scheme is not http(s)")
        case exceptions.UnusableProxy():
            return network.not_made(str(error))
        case aiohttp.ServerTimeoutError():
            return network.silent(account)
        case TimeoutError():
            return network.too_long(account)
        case aiohttp.ClientResponseError():  # as a text, it would hold the URL
            return network.broken(error.message)
        case _:
            return network.broken(network.why(error))
