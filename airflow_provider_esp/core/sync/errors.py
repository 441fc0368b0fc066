"""What stops a sync; like all exceptions of this package, each has its root in `exceptions`."""

from __future__ import annotations

from airflow_provider_esp.exceptions import TaskError


class SyncStateUnusable(TaskError):
    """What a sync remembers is lost, damaged, of a newer version or written with another key; nothing was sent."""


class SyncGuarded(TaskError):
    """A sync would change more than its guards allow, or its source cannot be what it is meant to be."""


class SyncRefused(TaskError):
    """A sync may not run: another run or another sync has the target, or a newer run has been there."""


class SyncTakenOver(TaskError):
    """Another run of the same sync works now, so this one does nothing more."""
