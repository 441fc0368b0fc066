"""What an endpoint is and gets: a plain function from an `Incoming` request to a response, collected in `Routes`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from .responses import Refused, describe
from .state import SandboxState
from .store import Store

T = TypeVar("T")

_YES = ("true", "1")
_NO = ("false", "0")


@dataclass
class Incoming:
    """One request on its way to an endpoint.

    :ivar account: whose request it is, once it is authorised.
    :ivar params: values of the ``{placeholders}`` in the endpoint's path, decoded.
    :ivar form: fields of an HTML form (url-encoded or multipart), where the body was one.
    :ivar secure: whether it came over TLS.
    """

    state: SandboxState
    method: str
    path: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    form: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    secure: bool = False

    @property
    def store(self) -> Store:
        """The sandbox's store."""
        return self.state.store

    @property
    def now(self) -> float:
        """The sandbox's time, Unix seconds."""
        return self.state.clock.now()

    def decode(self, kind: type[T]) -> T:
        """Decode the body as JSON of that type; numbers in quotes are accepted.

        :raises Refused: 400, it is not JSON or not of that type.
        """
        try:
            return msgspec.json.decode(self.body, type=kind, strict=False)
        except msgspec.ValidationError as error:
            raise Refused(400, describe(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused(400, "Malformed JSON") from None

    def number(self, name: str, default: int, low: int = 1, high: int | None = None) -> int:
        """Return a whole number from the query.

        :raises Refused: 400, it is no number, or outside low..high.
        """
        given = self.query.get(name)
        if given is None or given == "":
            return default
        if not re.fullmatch(r"-?\d{1,18}", given, re.ASCII):
            raise Refused(400, f"Parameter '{name}' must be a number")
        value = int(given)
        if value < low or (high is not None and value > high):
            raise Refused(400, f"Parameter '{name}' must be at least {low}" + (f" and at most {high}" if high else ""))
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean from the query: ``true`` or ``false`` in any case, or 1 or 0, as shops write it.

        :raises Refused: 400, it is neither.
        """
        given = self.query.get(name, "").lower()
        if given not in ("", *_YES, *_NO):
            raise Refused(400, f"Parameter '{name}' must be true or false")
        return default if given == "" else given in _YES

    def id(self, name: str = "id") -> int:
        """Return a numeric placeholder of the path.

        :raises Refused: 404, it is not a number: no such thing can exist.
        """
        given = self.params[name]
        if not re.fullmatch(r"\d{1,18}", given, re.ASCII):
            raise Refused(404, f"'{given}' not found")
        return int(given)


Handler = Callable[[Incoming], Response]


@dataclass(frozen=True)
class Endpoint:
    """One method of a vendor's API.

    :ivar path: below the service's prefix, without leading slash, as the vendor writes it: ``v1/contact/{id}``.
    :ivar buckets: rate limits it counts against; empty: the service's default ones.
    :ivar right: which right of a credential it needs, in the service's own words; "" means none.
    :ivar open: whether it needs no credential.
    :ivar locked: whether it runs in one transaction, which is how everything but network access should run.
    :ivar settles: whether what has become due happens first; not for methods that only put something into a queue, so
        that they need not wait for what is already in it.
    """

    method: str
    path: str
    function: Handler
    buckets: tuple[str, ...] = ()
    right: str = ""
    open: bool = False
    locked: bool = True
    settles: bool = True


class Routes:
    """Endpoints of one module; use as a decorator: ``@routes("GET", "v1/groups", right="read")``.

    :param defaults: values for `Endpoint`'s fields, for every endpoint of the module.
    """

    def __init__(self, **defaults: Any) -> None:
        self._defaults = defaults
        self._endpoints: list[Endpoint] = []

    def __call__(self, method: str, *paths: str, **fields: Any) -> Callable[[Handler], Handler]:
        """Register a function under one verb and one or more paths."""

        def register(function: Handler) -> Handler:
            for path in paths:
                self._endpoints.append(Endpoint(method, path, function, **{**self._defaults, **fields}))
            return function

        return register

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)
