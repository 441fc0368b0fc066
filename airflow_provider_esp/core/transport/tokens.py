"""Bearer tokens that end: one current token for everybody, and one refresh at a time.

However many threads and event loops find the same token too old, one of them fetches the next and the others
wait for it: a service that ends the old token when it issues a new one would otherwise be refreshed to death.
The fetch runs in a thread of its own, so that no lock is held while anybody waits and no loop is blocked.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

_EARLY = 0.05
_JITTER = 0.05


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its times, in seconds since the epoch; the value never shows in a `repr`.

    :param renew_at: when it counts as too old; None leaves that to the source.
    :param from_store: whether somebody else fetched it, so that it may have ended without our knowing.
    """

    value: str = field(repr=False)
    issued_at: float
    expires_at: float
    renew_at: float | None = None
    from_store: bool = False

    @property
    def lifetime(self) -> float:
        """Seconds from issue to end."""
        return self.expires_at - self.issued_at


class TokenSource:
    """Where an account's current token comes from.

    :param fetch: gets a good token; given the one that the service refused, or None where there is none yet or the
        last is too old. Runs in a thread of its own and may raise any `EspError`, which everybody who waits is given.
    :param early: part of a token's lifetime before its end at which it counts as too old; a little jitter is
        added once per source, so that processes started together do not refresh together.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self, fetch: Callable[[Token | None], Token], early: float = _EARLY, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._early = early + random.uniform(0, _JITTER)
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renewal: Future[Token] | None = None

    def current(self) -> Token | None:
        """Return the token to send, or None where one has to be fetched first."""
        token = self._token
        if token is None:
            return None
        renew_at = token.renew_at
        if renew_at is None:
            renew_at = token.expires_at - token.lifetime * self._early
        return token if self._clock() < renew_at else None

    def renew(self, stale: Token | None) -> Future[Token]:
        """Promise a token newer than `stale`, fetching it once however many ask.

        :param stale: the token that was refused or is too old; None where there was none.
        """
        with self._lock:
            if self._renewal is not None:
                return self._renewal
            token = self._token
            if token is not None and token is not stale and self.current() is token:
                done: Future[Token] = Future()
                done.set_result(token)
                return done
            promise = self._renewal = _promise()
        threading.Thread(target=self._fetch_into, args=(promise, stale), name="esp-token", daemon=True).start()
        return promise

    def prime(self) -> None:
        """Fetch on the calling thread whatever is missing, so that nobody has to wait for it later.

        A task does this when it begins: what then talks to Airflow does so on the main thread.
        """
        with self._lock:
            if self._renewal is not None or self.current() is not None:
                return
            promise = self._renewal = _promise()
        self._fetch_into(promise, None)
        promise.result()

    def _fetch_into(self, promise: Future[Token], stale: Token | None) -> None:
        try:
            token = self._fetch(stale)
        except BaseException as error:  # noqa: BLE001  # every waiter is given it; a thread has nobody else to tell
            with self._lock:
                self._renewal = None
            promise.set_exception(error)
        else:
            with self._lock:
                self._token, self._renewal = token, None
            promise.set_result(token)


def _promise() -> Future[Token]:
    """Make a future that one waiter cannot cancel for all the others."""
    promise: Future[Token] = Future()
    promise.set_running_or_notify_cancel()
    return promise


_shared: dict[bytes, TokenSource] = {}
_shared_lock = threading.Lock()


def shared_tokens(identity: str, make: Callable[[], TokenSource]) -> TokenSource:
    """Return the one token source of an application in this process.

    :param identity: token URL, client id and secret: only its hash is kept. A changed secret is another source.
    :param make: builds the source where there is none yet.
    """
    key = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    with _shared_lock:
        if key not in _shared:
            _shared[key] = make()
        return _shared[key]
