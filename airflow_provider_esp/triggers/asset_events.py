"""Triggers that start DAGs: what happened at the service becomes an event of an asset, through an `AssetWatcher`.

Those that watch an account share one poll loop for it on Airflow 3.3 (``shared_stream``); before, each polls for
itself, over connections that they share. On Airflow 3.3 what was told is remembered with the asset, so that a triggerer
which starts again tells it once; before, what happens while no triggerer runs is not told. `AssetWatcher` came with
Airflow 3.0: on 2.11 this module imports and its triggers refuse to be made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.triggers._polling import PollLoop

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger

    from airflow_provider_esp.core.account_events import AccountEvent, AssetMemory
    from airflow_provider_esp.core.models import Import
    from airflow_provider_esp.hooks.esp import EspHook
else:
    try:
        from airflow.triggers.base import BaseEventTrigger
    except ImportError:  # Airflow 2
        from airflow.triggers.base import BaseTrigger as BaseEventTrigger

HAS_WATCHERS = BaseEventTrigger.__name__ == "BaseEventTrigger"
"""Whether this Airflow starts DAGs by triggers."""

LOOK_BACK = 3600.0
"""Seconds before its start from which on a watch reads, so that a restart misses nothing (our choice)."""

MOST_REMEMBERED = 1000
"""Things told that are remembered with an asset."""

ERROR_BUDGET = 3600.0
"""Seconds for which looks may fail before a watch is given up (our choice)."""

_log = logging.getLogger(__name__)


class EspEventTrigger(BaseEventTrigger):
    """What the triggers of this module have in common.

    :param esp_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks, give or take 15 %.
    :raises RuntimeError: this is Airflow 2.
    """

    def __init__(self, esp_conn_id: str, poll_interval: float = 60.0) -> None:
        if not HAS_WATCHERS:
            raise RuntimeError(
                f"{type(self).__name__} needs AssetWatcher, which Airflow has since 3.0; here, use a sensor in a DAG "
                "that runs on a schedule."
            )
        super().__init__()
        self.esp_conn_id = esp_conn_id
        self.poll_interval = poll_interval

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """Return the subclass's own arguments."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments; two watchers with the same ones are one."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            "esp_conn_id": self.esp_conn_id,
            "poll_interval": self.poll_interval,
            **self.arguments(),
        }

    async def recall(self) -> Memory:
        """Read what was told before, if this Airflow keeps it."""
        # By what is watched: several triggers may tell one asset.
        path, arguments = self.serialize()
        mark = hashlib.blake2b(json.dumps([path, arguments], sort_keys=True).encode(), digest_size=8).hexdigest()
        name = f"esp_{type(self).__name__}_{mark}"
        store = getattr(self, "asset_state_store", None)
        kept: Any = None
        if store is not None:
            try:
                kept = await store.aget(name)
            except ValueError:  # several assets have this watcher, and no one of them is meant
                _log.warning("Several assets share one %s, so a restart may tell them things again", name)
                store = None
        return Memory(store, name, kept)


class Memory:
    """What a trigger has told.

    :param store: where it is kept; None for nowhere.
    :param name: under which key.
    :param kept: what was there; what is no memory counts as nothing.
    """

    def __init__(self, store: Any, name: str, kept: Any) -> None:
        from airflow_provider_esp.core.account_events import AssetMemory

        self._store = store
        self._name = name
        record = AssetMemory.of(kept)
        self.is_new = record is None
        # Services write whole seconds: what happens in the second of the start belongs to the watch.
        self._record: AssetMemory = record or AssetMemory(since=float(int(time.time())))

    @property
    def since(self) -> float:
        """Unix time from which on the trigger watches."""
        return self._record.since

    @property
    def until(self) -> float:
        """Unix time up to which things were told."""
        return self._record.until

    @property
    def told(self) -> list[str]:
        """Ids of things that were told."""
        return self._record.told

    async def keep(self, *told: str, until: float | None = None) -> None:
        """Remember what is about to be told; before and not after, so that it is told once at most."""
        self._record.told = [*self.told, *told][-MOST_REMEMBERED:]
        self._record.until = self.until if until is None else until
        if self._store is not None:
            await self._store.aset(self._name, self._record.encoded())


class AccountTrigger(EspEventTrigger):
    """Watches an account.

    :param esp_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param broadcast_ids: only these; None for all.
    :param settle_time: seconds without a new result after which a broadcast counts as finished at eSputnik, whose API
        gives no status.
    """

    def __init__(
        self,
        esp_conn_id: str,
        poll_interval: float = 60.0,
        broadcast_ids: Sequence[str] | None = None,
        settle_time: float = 900.0,
    ) -> None:
        super().__init__(esp_conn_id, poll_interval)
        self.broadcast_ids = None if broadcast_ids is None else [str(one) for one in broadcast_ids]
        self.settle_time = settle_time

    def arguments(self) -> dict[str, Any]:
        """Return what is watched."""
        return {"broadcast_ids": self.broadcast_ids, "settle_time": self.settle_time}

    def shared_stream_key(self) -> Hashable | None:
        """Name the poll loop that all watchers of one account share (Airflow 3.3 and later)."""
        return ("airflow_provider_esp", self.esp_conn_id, str(self.poll_interval), str(self.settle_time))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[list[AccountEvent]]:
        """Poll the account for ever; each item is what one look has seen.

        :param kwargs: the arguments of one of the triggers; those in the stream's key are used.
        """
        from airflow_provider_esp.core.account_events import WatchOptions

        hook = await hook_for(kwargs["esp_conn_id"])
        settle_time = float(kwargs.get("settle_time", 900.0))
        loop = PollLoop(float(kwargs.get("poll_interval", 60.0)), ERROR_BUDGET, log=_log)
        async with hook.keep_open():
            watch = hook.adapter.account_watcher(WatchOptions(hook.clock() - LOOK_BACK - settle_time, settle_time))
            async with aclosing(loop.results(lambda: hook.arun(watch.look(hook.clock())))) as results:
                async for events in results:
                    yield events

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Make events of what this trigger is about and has not told yet.

        :param shared_stream: what `open_shared_stream` yields.
        """
        memory = await self.recall()
        if memory.is_new:
            await memory.keep()
        begun = memory.until
        async for events in shared_stream:
            meant = [event for event in events if self._is_meant(event.id)]
            async for payload in self.payloads(meant, memory, begun):
                yield TriggerEvent(payload)

    @abstractmethod
    def payloads(self, events: list[AccountEvent], memory: Memory, begun: float) -> AsyncIterator[dict[str, Any]]:
        """Make payloads of what one look has seen.

        :param begun: how far things had been told when this trigger was started.
        """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch, with a poll loop of its own: what Airflow before 3.3 does."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _is_meant(self, broadcast_id: str) -> bool:
        return self.broadcast_ids is None or broadcast_id in self.broadcast_ids


class BroadcastFinishedTrigger(AccountTrigger):
    """Tells when a broadcast (SendPulse: a campaign) has ended.

    The event is ``{"broadcast_id", "state", ...counts}``; ``state`` is done or failed. At eSputnik a broadcast has
    ended when no new result has come for `settle_time`, and counts are of what was seen since the watch began.
    """

    async def payloads(self, events: list[AccountEvent], memory: Memory, begun: float) -> AsyncIterator[dict[str, Any]]:
        """Tell each broadcast once."""
        from airflow_provider_esp.core.account_events import BroadcastFinished

        for event in events:
            if isinstance(event, BroadcastFinished) and event.id not in memory.told and event.at >= memory.since:
                await memory.keep(event.id)
                yield event.payload()


class NewClicksTrigger(AccountTrigger):
    """Tells of new clicks, in one event for each look that found some.

    The event is ``{"clicks", "broadcasts": {id: clicks}}``; nobody who clicked is named.
    """

    async def payloads(self, events: list[AccountEvent], memory: Memory, begun: float) -> AsyncIterator[dict[str, Any]]:
        """Add up what one look has seen."""
        from airflow_provider_esp.core.account_events import NewClicks

        new = [event for event in events if isinstance(event, NewClicks) and event.at > begun]
        new = [event for event in new if event.at >= memory.since]
        if new:
            await memory.keep(until=max(memory.until, *(event.at for event in new)))
            yield NewClicks.payload(new)


class ImportFinishedTrigger(EspEventTrigger):
    """Tells when an import has ended, for imports that nobody waits for (``wait_for_completion=False``).

    The event is ``{"import_id", "state"}``, with done or failed. The API has no list of imports, so somebody has to
    say which: the author, or a task that writes them into an Airflow Variable, which is read at each look.

    :param esp_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param import_ids: the imports; or
    :param variable: name of a Variable that holds a JSON list of ids, or what `UploadContactsOperator` returned.
    :raises ValueError: not exactly one of the two.
    """

    def __init__(
        self,
        esp_conn_id: str,
        poll_interval: float = 60.0,
        import_ids: Sequence[str] | None = None,
        variable: str | None = None,
    ) -> None:
        super().__init__(esp_conn_id, poll_interval)
        if (import_ids is None) == (variable is None):
            raise ValueError("Give either import_ids or variable.")
        self.import_ids = None if import_ids is None else list(import_ids)
        self.variable = variable

    def arguments(self) -> dict[str, Any]:
        """Return which imports are meant."""
        return {"import_ids": self.import_ids, "variable": self.variable}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; with fixed ids, until all of them are told."""
        from airflow_provider_esp.core.models import ImportState

        memory = await self.recall()
        hook = await hook_for(self.esp_conn_id)
        loop = PollLoop(self.poll_interval, ERROR_BUDGET, log=_log)
        async with hook.keep_open(), aclosing(loop.results(self._ids)) as results:
            async for ids in results:
                for import_id in (one for one in ids if one not in memory.told):
                    # One after the other, each with patience of its own: those before it are told meanwhile.
                    answer = await loop.attempt(partial(self._ask, hook, import_id))
                    if answer.state is not ImportState.RUNNING:
                        await memory.keep(import_id)
                        yield TriggerEvent({"import_id": import_id, "state": answer.state.value})
                if self.import_ids is not None and set(self.import_ids) <= set(memory.told):
                    return

    @staticmethod
    async def _ask(hook: EspHook, import_id: str) -> Import:
        return await hook.arun(hook.adapter.import_state(import_id))

    async def _ids(self) -> list[str]:
        if self.import_ids is not None:
            return self.import_ids
        return ids_in(await asyncio.to_thread(_variable, self.variable or ""))


def _variable(name: str) -> str | None:
    from airflow_provider_esp.stores.airflow_variables import VariableSlot

    return VariableSlot(name, "").glance()


def ids_in(text: str | None) -> list[str]:
    """Read the ids in a Variable: a JSON list, what an upload returned, or one id as it is."""
    if not text or not text.strip():
        return []
    try:
        value = json.loads(text)
    except ValueError:
        return [text.strip()]
    value = value.get("imports") or [] if isinstance(value, Mapping) else value
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
