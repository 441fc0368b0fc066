"""`Client`, the synchronous driver of `exchange.perform`, and the only module that knows httpx or its fork httpx2.

It does what each step asks for and sleeps. Answers are read as a stream, so that a service which drips for ever meets
the limit for the whole request, and httpx's exceptions become `TransportFailure` in one place.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Page, Pages
from airflow_provider_esp.core.stopping import Stop
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
from airflow_provider_esp.utils.urls import is_loopback

if TYPE_CHECKING or not find_spec("httpx2"):
    import httpx
else:  # Airflow's SDK has imported it before us since 3.4, and importing both takes time
    import httpx2 as httpx

T = TypeVar("T")
R = TypeVar("R")

# httpx looks at each idle connection for each request; a few are enough for whoever asks again and again.
_IDLE_CONNECTIONS = 10

_sending: ContextVar[bool] = ContextVar("esp_sending", default=False)


def _not_ours(record: logging.LogRecord) -> bool:
    """Drop httpx's line for each request of ours: it quotes the URL, and URLs can hold addresses and secrets."""
    return not _sending.get()


logging.getLogger(httpx.__name__).addFilter(_not_ours)


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
    :param stop: says that the task is being ended: then no request is made any more.
    """

    def __init__(self, account: Account, stop: Stop | None = None) -> None:
        self.account = account
        self._stop = stop or Stop()
        limits = account.timeouts
        self._http = httpx.Client(
            timeout=httpx.Timeout(limits.silence, connect=limits.connect),
            limits=httpx.Limits(
                max_connections=network.CONNECTIONS,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=network.IDLE_SECONDS,
            ),
            verify=network.certificates(account),
            cookies=CookieJar(network.no_cookies()),
            # A proxy from the environment is for the world outside, not for a sandbox on this machine.
            trust_env=not is_loopback(account.base_url),
        )

    def run(self, work: Work[T]) -> T:
        """Carry out a call or a flow and return its answer.

        :raises EspError: with the service, the method, and what to do next.
        """
        run = FlowRunner(perform(work, self.account))
        while run.step is not None:
            self._advance(run)
        return run.answer

    def iterate(self, pages: Pages[R]) -> Iterator[R]:
        """Hand out the rows of a long answer as its pages come."""
        run = FlowRunner(perform_pages(pages, self.account))
        while run.step is not None:
            if isinstance(run.step, Page):
                yield from run.step.rows
                run.tell(None)
            else:
                self._advance(run)

    def _advance(self, run: FlowRunner[Any]) -> None:
        try:
            outcome = self._do(run.step)
        except exceptions.EspError as error:
            run.fail(error)
        else:
            run.tell(outcome)

    def _do(self, step: Step) -> Any:
        if isinstance(step, Consult):
            return step.errand()
        if isinstance(step, Wait):
            self._stop.pause(step.seconds)
        if self._stop.requested:
            raise exceptions.TaskEnding("the request was not made, because Airflow ends this task")
        match step:
            case Wait():
                return None
            case Refresh(tokens, stale):
                return tokens.renew(stale).result()
            case Send(request):
                return self._send(request)

    def _send(self, request: Request) -> Response | TransportFailure:
        end = time.monotonic() + self.account.timeouts.total
        try:
            with self._stream(request) as response:
                body = Body(response.headers.get("Content-Encoding", ""), request.most_bytes)
                for chunk in response.iter_raw():
                    body.add(chunk)
                    if time.monotonic() > end:
                        return network.too_long(self.account)
                return Response.of(response.status_code, response.headers.items(), body.end())
        except BodyRefused as refused:
            return network.unusable(refused)
        except _FAILURES as error:
            return _lost(error, self.account)

    @contextmanager
    def _stream(self, request: Request) -> Iterator[httpx.Response]:
        with (
            _quietly(),
            self._http.stream(
                request.method, request.url, headers=request.headers, content=request.content
            ) as response,
        ):
            yield response
        # An answer and its stream hold each other, and the request with its megabyte of contacts. They go now, and not
        # when the garbage collector comes by, which counts objects and not what they weigh.
        response.stream = httpx.ByteStream(b"")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


_FAILURES = (httpx.HTTPError, httpx.InvalidURL)


def _lost(error: Exception, account: Account) -> TransportFailure:
    """Return what an exception of httpx means."""
    reason = network.why(error)
    match error:
        case httpx.ConnectTimeout():
            return network.not_connected_in_time(account)
        case httpx.PoolTimeout():
            return network.all_busy()
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return network.not_made(reason)
        case httpx.ConnectError() | httpx.ProxyError():
            return network.not_connected(account, reason)
        case httpx.TimeoutException():
            return network.silent(account)
        case _:
            return network.broken(reason)
