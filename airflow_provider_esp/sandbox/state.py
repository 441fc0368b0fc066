"""What the services of a sandbox share: store, clock, outbox, request log, faults, settings and limits.

It knows no service, so that services can be written against it; the list of them is in `registry`.
"""

from __future__ import annotations

from collections.abc import Mapping

from .clock import Clock
from .faults import Faults
from .limits import Limit, Limits
from .outbox import Outbox
from .request_log import RequestLog
from .settings import COMMON, Setting, Settings
from .store import Store


class SandboxState:
    """The state of one sandbox.

    :param settings: the services' settings by name; the sandbox's own are added.
    :param limits: the services' documented limits by bucket name.
    :param file: a database file that outlives the process; None keeps everything in memory.
    """

    def __init__(self, settings: Mapping[str, Setting], limits: Mapping[str, Limit], file: str | None = None) -> None:
        self.clock = Clock()
        self.store = Store(file)
        self.outbox = Outbox(self.store, self.clock)
        self.log = RequestLog(self.clock)
        self.faults = Faults()
        self.settings = Settings({**COMMON, **settings})
        self.limits = Limits(limits, self.clock)

    def reset(self) -> None:
        """Reset everything but the data: clock, settings, limits, faults and the request log."""
        self.clock.reset()
        self.settings.reset()
        self.limits.reset()
        self.faults.clear()
        self.log.clear()

    def stamp(self, at: float) -> str:
        """Return a time (Unix seconds) as text: ISO 8601, UTC, to the millisecond."""
        return self.clock.moment(at).isoformat(timespec="milliseconds")
