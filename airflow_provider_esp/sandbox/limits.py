"""Rate limits: so many requests in any window of so many seconds, by bucket and account.

A sliding window over the times of the requests that were admitted; a refused request does not count against the
window. The documented limits come from each service; a test may override them.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .clock import Clock


@dataclass(frozen=True)
class Limit:
    """At most `requests` in any window of `seconds` seconds."""

    requests: int
    seconds: float = 1.0

    def __str__(self) -> str:
        unit = "1 second" if self.seconds == 1 else f"{self.seconds:g} seconds"
        return f"{self.requests} requests per {unit}"


@dataclass(frozen=True)
class Excess:
    """A request that no window had room for.

    :param limit: the limit that refused it.
    :param wait: seconds until that limit's window has room again.
    """

    limit: Limit
    wait: float


class Limits:
    """All buckets of all services.

    :param documented: the limits by bucket name, e.g. ``esputnik.default``.
    """

    def __init__(self, documented: Mapping[str, Limit], clock: Clock) -> None:
        self._documented = dict(documented)
        self._overrides: dict[str, Limit | None] = {}
        self._admitted: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._clock = clock
        self._lock = threading.Lock()

    def admit(self, buckets: Sequence[str], account: str) -> Excess | None:
        """Count one request against every bucket, or refuse it.

        :param buckets: names of all buckets that must admit the request.
        :param account: whose windows they are.
        :return: None when admitted, otherwise what refused it.
        """
        now = self._clock.now()
        with self._lock:
            windows = []
            for name in buckets:
                limit = self.of(name)
                if limit is None:
                    continue
                window = self._admitted[name, account]
                while window and window[0] <= now - limit.seconds:
                    window.popleft()
                if len(window) >= limit.requests:
                    wait = window[0] + limit.seconds - now if window else limit.seconds
                    return Excess(limit, wait)
                windows.append(window)
            for window in windows:
                window.append(now)
        return None

    def of(self, name: str) -> Limit | None:
        """Return the limit of a bucket now; None when it was switched off."""
        return self._overrides[name] if name in self._overrides else self._documented[name]

    def override(self, name: str, limit: Limit | None) -> None:
        """Replace a bucket's limit; None switches it off.

        :raises KeyError: there is no such bucket.
        """
        if name not in self._documented:
            raise KeyError(name)
        with self._lock:
            self._overrides[name] = limit

    def all(self) -> dict[str, Limit | None]:
        """Return every bucket and its limit now."""
        return {name: self.of(name) for name in self._documented}

    def reset(self) -> None:
        """Reset to the documented limits, with empty windows."""
        with self._lock:
            self._overrides.clear()
            self._admitted.clear()
