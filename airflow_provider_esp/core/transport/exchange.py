"""The life of one request, written once for both worlds.

`perform` is a generator. It yields what has to be done (`Wait`, `Refresh`, `Send`, `Consult`) and is given what came of
it; rate limits, retries, a renewed token, decoding and error mapping are all in here. A driver does the
doing: the synchronous one in `client.py` and the one in `async_client.py` differ in nothing but how they wait.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, cast

from airflow_provider_esp import __version__, exceptions
from airflow_provider_esp.core.calls import Call, Flow, Kind, Page, Pages, Refusal, Service
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.transport.account import Account
from airflow_provider_esp.core.transport.response_bodies import ACCEPT_ENCODING
from airflow_provider_esp.core.transport.retry import pause_before_retry, retry_after
from airflow_provider_esp.core.transport.throttle import Errand
from airflow_provider_esp.core.transport.tokens import Token, TokenSource
from airflow_provider_esp.exceptions import DecodingError, EspError, RateLimitTimeout
from airflow_provider_esp.utils.redaction import hide_secrets, redact, redact_code

T = TypeVar("T")
R = TypeVar("R")

_RATE_LIMIT_PAUSE = 1.0
# A refused token may first be replaced by one that another process saved, and which has ended as well.
_REPLAYS = 2


@dataclass(frozen=True, slots=True)
class Request:
    """What a driver puts on the wire."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    most_bytes: int = 2**25
    """How large the answer's body may be once it is unpacked, in bytes."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    @classmethod
    def of(cls, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> Response:
        """Make one of what a driver has read, however the service spells the headers' names."""
        return cls(status, {name.lower(): value for name, value in headers}, content)


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """No answer came back.

    :param kind: which of the errors it is.
    :param message: what happened, without any address in it.
    :param sent: whether the request may have reached the service.
    """

    kind: type[EspError]
    message: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask the driver to wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refresh:
    """Ask the driver for a token newer than this one."""

    tokens: TokenSource
    stale: Token | None


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the driver to send a request, and to hand back an `Response` or `TransportFailure`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask the driver to run an errand where it holds up nobody else, and to hand back what it returns."""

    errand: Errand


Step: TypeAlias = Wait | Refresh | Send | Consult
Work: TypeAlias = Call[T] | Flow[T]


class FlowRunner(Generic[T]):
    """Steps on their way: what to do next, and in the end the answer.

    :param steps: `perform` or `perform_pages`.
    :ivar step: what the driver has to do next; None at the end.
    :ivar answer: the answer, once `step` is None.
    """

    answer: T

    def __init__(self, steps: Generator[Any, Any, T]) -> None:
        self._steps = steps
        self.step: Any = None
        self._move(steps.send, None)

    def tell(self, outcome: object) -> None:
        """Hand in what came of the step, and go on to the next."""
        self._move(self._steps.send, outcome)

    def fail(self, error: EspError) -> None:
        """Say that the step failed, and go on to the next."""
        self._move(self._steps.throw, error)

    def _move(self, way: Callable[[Any], Any], value: object) -> None:
        try:
            self.step = way(value)
        except StopIteration as end:
            self.step, self.answer = None, end.value


def perform(work: Work[T], account: Account, urgent: bool = False) -> Generator[Step, Any, T]:
    """Carry out a call, or every call of a flow, and return the answer.

    :param urgent: whether it goes before others where rate limits are shared: waits go before bulk.
    :raises EspError: a call failed and its flow did not deal with it.
    """
    if isinstance(work, Call):
        return (yield from _exchange(work, account, urgent))
    try:
        call = next(work)
        while True:
            try:
                answer = yield from _exchange(call, account, urgent)
            except EspError as error:
                call = work.throw(error)
            else:
                call = _go_on(work, answer, call, account)
    except StopIteration as end:
        return cast(T, end.value)
    finally:
        work.close()


def _go_on(work: Flow[Any], answer: object, call: Call[Any], account: Account) -> Call[Any]:
    try:
        return work.send(answer)
    except ValueError as problem:
        if call.method == "GET" and not isinstance(problem, DecodingError):
            raise  # what was read shows that the author asks for something that cannot be
        # The answer had the right shape and makes no sense all the same; the request before it was carried out. A
        # plain ValueError would say that nothing was.
        raise exceptions.UnexpectedResponse(
            f"the answer makes no sense: {redact(str(problem))}",
            service=account.service.title,
            method=call.name,
            outcome_unknown=call.method != "GET",
        ) from None


def perform_pages(pages: Pages[R], account: Account, urgent: bool = False) -> Generator[Step | Page[R], Any, None]:
    """Carry out the calls of a long answer and pass its pages on as they come."""
    answer: Any = None
    try:
        while True:
            item = pages.send(answer)
            if isinstance(item, Page):
                yield item
                answer = None
            else:
                answer = yield from _exchange(item, account, urgent)
    except StopIteration:
        return
    finally:
        pages.close()


def _exchange(call: Call[T], account: Account, urgent: bool) -> Generator[Step, Any, T]:
    _check_service(call, account)
    began = account.clock()
    tokens = account.credential.tokens if call.authorised else None
    refused: Token | None = None
    maybe_done = False
    attempt = replays = 0
    while True:
        try:
            token = yield from _prepare(call, account, tokens, refused, urgent)
        except EspError as error:
            raise _with_outcome(error, maybe_done) from error.__cause__
        attempt += 1
        request = _request(call, account, token)
        try:
            outcome: Response | TransportFailure = (yield Send(request)) if _can_travel(request) else _UNSPEAKABLE
        except exceptions.TaskEnding as error:
            raise _with_outcome(error, maybe_done) from None
        result = _read(call, account, outcome)
        if not isinstance(result, EspError):
            return result
        if isinstance(result, exceptions.Unauthenticated) and _worth_renewing(token, refused, replays):
            refused = token
            replays += 1
            continue
        if isinstance(result, exceptions.RateLimited):
            note = account.throttle.refused(call.buckets, result.retry_after or _RATE_LIMIT_PAUSE)
            if note is not None:
                yield Consult(note)
        if isinstance(result, exceptions.DuplicateRequest) and maybe_done and call.when_done is not None:
            # Our own earlier attempt, whose answer was lost, is the one that this repeats: it was accepted.
            try:
                return (yield from perform(call.when_done(), account, urgent))
            except EspError as error:
                raise _with_outcome(error, unknown=True) from error.__cause__
        maybe_done = maybe_done or result.outcome_unknown
        elapsed = account.clock() - began
        pause = pause_before_retry(account.retry, result, repeatable=call.repeatable, attempt=attempt, elapsed=elapsed)
        if pause is None:
            result.attempts = attempt
            result.outcome_unknown = maybe_done
            raise result
        try:
            yield Wait(pause)
        except exceptions.TaskEnding as error:
            raise _with_outcome(error, maybe_done) from None


def _prepare(
    call: Call[Any], account: Account, tokens: TokenSource | None, refused: Token | None, urgent: bool
) -> Generator[Step, Any, Token | None]:
    """Wait until the call may leave, and give the token that it leaves with.

    :param refused: the token that the service did not take, or None.
    :raises EspError: there is no token to be had, or no place within the rate limits.
    """
    if tokens is not None and (refused is not None or tokens.current() is None):
        yield Refresh(tokens, refused)  # before the turn, which would pass meanwhile
    turn = account.throttle.turn(call.buckets, account.retry.patience, urgent)
    outcome: object = None
    try:
        while True:
            step = turn.send(outcome)
            outcome = yield Consult(step) if callable(step) else Wait(step)
    except StopIteration:
        pass
    except RateLimitTimeout:
        raise _no_place(call, account) from None
    return None if tokens is None else tokens.current() or (yield Refresh(tokens, None))


def _worth_renewing(token: Token | None, refused: Token | None, replays: int) -> bool:
    """Check whether a call that was refused may be sent again with another token than this one."""
    if token is None or replays >= _REPLAYS:
        return False
    return refused is None or (token.from_store and token.value != refused.value)


def _with_outcome(error: EspError, unknown: bool) -> EspError:
    """Say of an error what is known of the call's own request; the error may be shared with others who wait."""
    own = copy.copy(error)
    own.outcome_unknown = unknown
    return own


def _check_service(call: Call[Any], account: Account) -> None:
    if call.service != account.service.name:
        raise exceptions.InvalidRequest(
            f"{call.name} belongs to {call.service}",
            service=account.service.title,
            advice=f"Run it on a connection of type {call.service}.",
        )


def _request(call: Call[Any], account: Account, token: Token | None) -> Request:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": ACCEPT_ENCODING,
        "User-Agent": f"airflow-provider-esp/{__version__}",
    }
    if call.content_type is not None:
        headers["Content-Type"] = call.content_type
    if token is not None:
        hide_secrets(token.value)
        headers["Authorization"] = f"Bearer {token.value}"
    elif call.authorised and account.credential.header is not None:
        headers["Authorization"] = account.credential.header
    url = call.path if "://" in call.path else f"{account.base_url}/{call.path}"
    query = call.query_string
    return Request(call.method, f"{url}?{query}" if query else url, headers, call.content, call.most_bytes)


BY_KIND: dict[Kind, type[exceptions.EspError]] = {
    Kind.UNAUTHENTICATED: exceptions.Unauthenticated,
    Kind.FORBIDDEN: exceptions.PermissionDenied,
    Kind.NOT_FOUND: exceptions.NotFound,
    Kind.INVALID: exceptions.InvalidRequest,
    Kind.DUPLICATE: exceptions.DuplicateRequest,
    Kind.RATE_LIMITED: exceptions.RateLimited,
    Kind.SWITCHED_OFF: exceptions.MethodDisabled,
    Kind.QUOTA: exceptions.QuotaExceeded,
    Kind.SERVER: exceptions.ServerFailed,
    Kind.UNEXPECTED: exceptions.UnexpectedResponse,
}
"""Which exception a service's refusal becomes."""

# It is not quoted: of all that is in a header, the credential is the one thing that we did not make.
_UNSPEAKABLE = TransportFailure(
    exceptions.Unauthenticated, "the credential holds a character that no request can carry", sent=False
)


def _can_travel(request: Request) -> bool:
    """Check whether the credential can stand in a header: visible ASCII, blanks within."""
    value = request.headers.get("Authorization", "")
    return value.isascii() and value.isprintable() and value == value.strip()


def _read(call: Call[T], account: Account, outcome: Response | TransportFailure) -> T | EspError:
    facts = {"service": account.service.title, "method": call.name}
    if isinstance(outcome, TransportFailure):
        return outcome.kind(outcome.message, outcome_unknown=outcome.sent and call.method != "GET", **facts)
    refusal = account.service.refusal(outcome.status, outcome.headers, outcome.content)
    if refusal is None and not 200 <= outcome.status < 300:
        refusal = Refusal(Kind.UNEXPECTED, f"HTTP {outcome.status}")
    if refusal is not None:
        return _refused(refusal, call, account, outcome)
    try:
        return decode(outcome.content, call.answer)
    except DecodingError as problem:
        return exceptions.UnexpectedResponse(
            f"the answer is not what the API promises: {redact(str(problem))}",
            status=outcome.status,
            outcome_unknown=call.method != "GET",
            request_id=_request_id(account.service, outcome),
            **facts,
        )


def _refused(refusal: Refusal, call: Call[Any], account: Account, answer: Response) -> EspError:
    server_failed = refusal.kind in (Kind.SERVER, Kind.UNEXPECTED)
    said = redact(refusal.message)
    advice = refusal.advice
    if account.credential.explain is not None and refusal.kind in (Kind.UNAUTHENTICATED, Kind.FORBIDDEN):
        advice = account.credential.explain(call)
    return BY_KIND[refusal.kind](
        f"{refusal.kind.value}: {said}" if said else refusal.kind.value,
        service=account.service.title,
        method=call.name,
        status=answer.status,
        code=None if refusal.code is None else redact_code(refusal.code),
        advice=advice,
        request_id=_request_id(account.service, answer),
        retry_after=retry_after(answer.headers.get("retry-after")),
        outcome_unknown=server_failed and call.method != "GET",
    )


def _request_id(service: Service, answer: Response) -> str | None:
    told = (answer.headers[name] for name in service.request_id_headers if name in answer.headers)
    return next(map(redact_code, told), None)


def _no_place(call: Call[Any], account: Account) -> exceptions.RateLimited:
    names = ", ".join(f"{bucket.name} ({bucket.limit:g} in {bucket.seconds:g} s)" for bucket in call.buckets)
    return exceptions.RateLimited(
        f"rate limit: no capacity within {account.retry.patience:g} s: {names}",
        service=account.service.title,
        method=call.name,
    )
