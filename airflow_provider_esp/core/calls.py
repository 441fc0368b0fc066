"""A request as a value: `Call`, and the two shapes made of calls, `Flow` and `Pages`.

Every endpoint of every service is one small function that returns a `Call`. It says everything the
transport must know (what to send, what comes back, which rate limits it counts against, whether it may
be sent again) and does nothing by itself, so one function serves synchronous and asynchronous code.

`Service` is the other half: what all calls of one vendor share, above all how its error answers read.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import msgspec

T = TypeVar("T")
R = TypeVar("R")

JSON = "application/json; charset=UTF-8"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One documented rate limit: at most `limit` requests in any `seconds` long window, per account.

    :param name: how a connection's extra names it to override it, e.g. ``esputnik.default``.
    :param limit: requests in a window.
    :param seconds: length of the window, in seconds.
    """

    name: str
    limit: float
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to a service, and the type of its answer.

    :param service: name of the service it belongs to (`Service.name`).
    :param method: HTTP verb.
    :param path: below the service's base URL, without leading slash, e.g. ``v1/contacts``; already
        percent-encoded (see `path`). A whole URL is taken as it is.
    :param label: the path as the vendor's documentation writes it, e.g. ``v1/contact/{id}``: log lines and
        errors use it, so that an address inside a path never reaches them.
    :param answer: what the body is decoded into: a type msgspec knows, `str` for a plain sentence, or
        ``NoneType`` where nothing is promised.
    :param query: query parameters; a value of None is left out by `query_string`.
    :param content: the encoded body (see `json_body` and `form_body`), or None.
    :param content_type: of the body.
    :param buckets: every rate limit that must admit the request.
    :param right: the vendor's method group that the application needs, or None.
    :param repeatable: whether sending it twice does no more than sending it once. Computed from the
        arguments by the function that builds the call.
    :param authorised: False sends no credential (SendPulse's event URL).
    :param most_bytes: how large the answer's body may be once it is unpacked, in bytes.
    :param when_done: where the service refuses a repetition (409): the flow that learns the answer when the
        repetition was our own, because an earlier attempt was accepted and only its answer was lost.
    """

    service: str
    method: str
    path: str
    answer: type[T]
    label: str = ""
    query: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    buckets: tuple[Bucket, ...] = ()
    right: str | None = None
    repeatable: bool = False
    authorised: bool = True
    most_bytes: int = 2**25
    when_done: Callable[[], Flow[T]] | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The call in the vendor's words, e.g. ``POST v1/contacts``: what errors and logs say."""
        return f"{self.method} {self.label or self.path}"

    @property
    def query_string(self) -> str:
        """The query, encoded; booleans as ``true``/``false``, None left out."""
        spelled = {k: str(v).lower() if isinstance(v, bool) else v for k, v in self.query.items() if v is not None}
        return urlencode(spelled, quote_via=quote)

    def __repr__(self) -> str:
        # Query and path can hold an address; the vendor's name for the method never does.
        return f"<Call {self.service}: {self.name}>"

    def __iter__(self) -> Generator[Call[T], T, T]:
        """Make ``answer = yield from call`` work inside a flow, with the answer's type known."""
        return (yield self)


Flow: TypeAlias = Generator[Call[Any], Any, T]
"""Several calls that make one answer: a generator that yields calls and is sent their answers."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Rows of one page, handed out by a `Pages` as soon as the page is there."""

    rows: Sequence[R]


Pages: TypeAlias = Generator[Call[Any] | Page[R], Any, None]
"""A long answer: a generator that yields calls (and is sent their answers) and pages of rows."""


_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_NO_SEGMENT = ("", ".", "..")


def path(label: str, *values: str | int) -> str:
    """Fill a label's placeholders with percent-encoded values, slashes included.

    >>> path("v1/contact/{id}/subscriptions", 7)
    'v1/contact/7/subscriptions'

    :raises ValueError: a value is empty, ``.`` or ``..``: HTTP clients take such a segment out of the path, and the
        request would reach another method.
    """
    for name, value in zip(_PLACEHOLDER.findall(label), values, strict=True):
        if str(value) in _NO_SEGMENT:
            raise ValueError(
                f"{label} needs {name[1:-1]}, not {str(value)!r}: the request would reach another method. Nothing was "
                "sent."
            )
    remaining = iter(values)
    return _PLACEHOLDER.sub(lambda _: quote(str(next(remaining)), safe=""), label)


_encoder = msgspec.json.Encoder(decimal_format="number")


def json_body(value: object) -> bytes:
    """Encode a request body as JSON: decimals as numbers, without what Structs leave unset."""
    return _encoder.encode(value)


def form_body(fields: Mapping[str, str]) -> bytes:
    """Encode a request body as an HTML form."""
    return urlencode(fields).encode()


class Kind(enum.Enum):
    """What sort of refusal an answer is; `core.transport.exchange.BY_KIND` has one exception for each."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    RATE_LIMITED = "rate limited"
    SWITCHED_OFF = "switched off"
    QUOTA = "quota"
    SERVER = "server"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A service's answer that is not a success, read by that service's own rules.

    :param kind: what sort of refusal.
    :param message: the service's own words, shortened; may hold an address, so it is redacted before use.
    :param code: the vendor's error code where there is one.
    :param advice: what the person reading the log should do next; empty for the kind's ordinary advice.
    """

    kind: Kind
    message: str = ""
    code: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """What all calls of one vendor share.

    :param name: short name, the connection type: ``esputnik``.
    :param title: the name people use: ``eSputnik``.
    :param base_url: the vendor's own host, without trailing slash.
    :param refusal: reads an error answer: (status, lower-case headers, body) to a `Refusal`. Also asked about
        every success, and answers None there unless the body says that it is no success after all.
    :param request_id_headers: lower-case names of headers that may carry a request id.
    """

    name: str
    title: str
    base_url: str
    refusal: Callable[[int, Mapping[str, str], bytes], Refusal | None] = field(repr=False)
    request_id_headers: tuple[str, ...] = ()


class Perform(Protocol):
    """Carries out a flow, as `Client.run` does; called by several threads at once."""

    def __call__(self, work: Flow[T]) -> T:
        """Return the flow's answer."""
