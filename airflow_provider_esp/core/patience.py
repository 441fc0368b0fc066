"""Patience with a place that cannot be written for a while: a full disk, a folder that is read-only for a moment."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from airflow_provider_esp.exceptions import headline, is_final

T = TypeVar("T")

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP)
"""What does not go away by itself."""
_LOOK = 0.5
"""Seconds after which a pause looks whether the task is to end."""
MISTAKES = (TypeError, ValueError, AttributeError, LookupError, NotImplementedError, ImportError, msgspec.MsgspecError)
"""What no disk and no store raises: trying again would not help."""


@dataclass(slots=True)
class Patience:
    """Tries again, for a limited time, what a disk or a store refuses.

    Only the thread that runs the task may use it: while it waits, that thread hands nothing else over.

    :param seconds: how long it is tried again; 0 for once only.
    :param stopped: returns whether the task is being ended, so that waiting is over.
    :param clock: returns seconds of a clock that never goes back.
    :param sleep: waits so many seconds.
    """

    seconds: float = 300.0
    stopped: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, action: Callable[[], T], place: str) -> T:
        """Do something until it goes well.

        :param action: may be done any number of times.
        :param place: what is written, for the log.
        :returns: what `action` returned.
        :raises Exception: what it raised last, when time is up, the task is being ended, or a file is in the way.
        """
        end, pause, warned = self.clock() + self.seconds, _FIRST_PAUSE, False
        while True:
            try:
                result = action()
            except MISTAKES:
                raise
            except Exception as error:
                hopeless = is_final(error) or getattr(error, "errno", None) in _IN_THE_WAY
                if hopeless or self.stopped() or self.clock() + pause > end:
                    raise
                if not warned:
                    log.warning(
                        "%s cannot be written (%s). Nothing else is sent meanwhile; trying again for %.0f s.",
                        place,
                        reason_of(error),
                        self.seconds,
                    )
                    warned = True
            else:
                if warned:
                    log.info("%s can be written again.", place)
                return result
            self._wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _wait(self, seconds: float) -> None:
        end = self.clock() + seconds
        while (left := end - self.clock()) > 0 and not self.stopped():
            self.sleep(min(left, _LOOK))


_ADVICE = {
    errno.ENOSPC: "make room there, or name another place",
    errno.EDQUOT: "make room there, or name another place",
    errno.ENOTDIR: "remove the file or link that is in the way, or name another place",
    errno.EEXIST: "remove the file or link that is in the way, or name another place",
    errno.ELOOP: "remove the symbolic link that is in the way, or name another place",
    errno.EISDIR: "remove the folder that is in the way, or name another place",
}


def unwritable(what: str, place: object, argument: str, error: BaseException) -> str:
    """Return a sentence about a place that cannot be written, with what to do about it.

    :param what: what was to be written, e.g. "the report".
    :param argument: the author's argument that names the place.
    """
    number = error.errno if isinstance(error, OSError) else None
    advice = _ADVICE.get(number or 0, "let the worker write there, or name another place")
    return f"{what} cannot be written to {place}: {reason_of(error)}; {advice} ({argument}=)."


def reason_of(error: BaseException) -> str:
    """Return what a disk or a store said, in one line and without the path, which the message names itself."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return headline(error)
