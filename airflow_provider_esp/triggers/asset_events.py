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
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.triggers.base import TriggerEvent

from airflow_provider_esp.exceptions import headline
from airflow_provider_esp.triggers._hooks import hook_for
from airflow_provider_esp.triggers._polling import ends_the_wait

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger

    from airflow_provider_esp.core.models import Import
    from airflow_provider_esp.hooks.esp import EspHook
else:
    try:
        from airflow.triggers.base import BaseEventTrigger
    except ImportError:  # Airflow 2
        from airflow.triggers.base import BaseTrigger as BaseEventTrigger

T = TypeVar("T")

HAS_WATCHERS = BaseEventTrigger.__name__ == "BaseEventTrigger"
"""Whether this Airflow starts DAGs by triggers."""

LOOK_BACK = 3600.0
"""Seconds before its start from which on a watch reads, so that a restart misses nothing (our choice)."""

MOST_REMEMBERED = 1000
"""Things told that are remembered with an asset."""

_log = logging.getLogger(__name__)
_JITTER = 0.15
_ERROR_BUDGET = 3600.0


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
        found: Any = None
        if store is not None:
            try:
                found = await store.aget(name)
            except ValueError:  # several assets have this watcher, and no one of them is meant
                _log.warning("Several assets share one %s, so a restart may tell them things again", name)
                store = None
        return Memory(store, name, found)


class Memory:
    """What a trigger has told.

    :param store: where it is kept; None for nowhere.
    :param name: under which key.
    :param kept: what was found there.
    """

    def __init__(self, store: Any, name: str, kept: Any) -> None:
        kept = kept if isinstance(kept, Mapping) else {}
        self._store = store
        self._name = name
        # Services write whole seconds: what happens in the second of the start belongs to the watch.
        self.since: float = float(kept.get("since") or int(time.time()))
        self.until: float = float(kept.get("until") or 0.0)
        self.told: list[str] = list(kept.get("told") or [])
        self.is_new = not kept

    async def keep(self, *told: str, until: float | None = None) -> None:
        """Remember what is about to be told; before and not after, so that it is told once at most."""
        self.told = [*self.told, *told][-MOST_REMEMBERED:]
        self.until = self.until if until is None else until
        if self._store is not None:
            await self._store.aset(self._name, {"since": self.since, "until": self.until, "told": self.told})


class AccountTrigger(EspEventTrigger):
    """Watches an account.

    :param esp_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param broadcast_ids: only these; None for all.
    :param settle_time: seconds without a new result after which a broadcast counts as finished at eSputnik, whose API
        gives no status.
    """

    kind: ClassVar[str]

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
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
        """Poll the account for ever; each item is what one look has found.

        :param kwargs: the arguments of one of the triggers; those in the stream's key are used.
        """
        from airflow_provider_esp.core.account_events import WatchOptions

        hook = await hook_for(kwargs["esp_conn_id"])
        interval = float(kwargs.get("poll_interval", 60.0))
        settle_time = float(kwargs.get("settle_time", 900.0))
        async with hook.keep_open():
            watch = hook.adapter.account_watcher(WatchOptions(hook.clock() - LOOK_BACK - settle_time, settle_time))
            while True:
                found = await patiently(lambda: hook.arun(watch.look(hook.clock())), interval)
                yield [{"kind": one.kind, "id": one.id, "at": one.at, "facts": one.facts} for one in found]
                await _pause(interval)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Make events of what this trigger is about and has not told yet.

        :param shared_stream: what `open_shared_stream` yields.
        """
        memory = await self.recall()
        if memory.is_new:
            await memory.keep()
        begun = memory.until
        async for found in shared_stream:
            mine = [one for one in found if one["kind"] == self.kind and self._is_meant(one["id"])]
            async for event in self.events(mine, memory, begun):
                yield event

    @abstractmethod
    def events(self, found: list[dict[str, Any]], memory: Memory, begun: float) -> AsyncIterator[TriggerEvent]:
        """Make events of what one look has found.

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

    kind = "broadcast_finished"

    async def events(self, found: list[dict[str, Any]], memory: Memory, begun: float) -> AsyncIterator[TriggerEvent]:
        """Tell each broadcast once."""
        for one in found:
            if one["id"] not in memory.told and one["at"] >= memory.since:
                await memory.keep(one["id"])
                yield TriggerEvent({"broadcast_id": one["id"], **one["facts"]})


class NewClicksTrigger(AccountTrigger):
    """Tells of new clicks, in one event for each look that found some.

    The event is ``{"clicks", "broadcasts": {id: clicks}}``; nobody who clicked is named.
    """

    kind = "clicks"

    async def events(self, found: list[dict[str, Any]], memory: Memory, begun: float) -> AsyncIterator[TriggerEvent]:
        """Add up what one look has found."""
        counts: dict[str, int] = {}
        fresh = [one for one in found if one["at"] > begun and one["at"] >= memory.since]
        for one in fresh:
            counts[one["id"]] = counts.get(one["id"], 0) + int(one["facts"]["clicks"])
        if counts:
            await memory.keep(until=max(memory.until, *(one["at"] for one in fresh)))
            yield TriggerEvent({"clicks": sum(counts.values()), "broadcasts": counts})


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
        async with hook.keep_open():
            while True:
                open_ids = [one for one in await self._ids() if one not in memory.told]
                for import_id in open_ids:
                    told = await patiently(partial(self._ask, hook, import_id), self.poll_interval)
                    if told.state is not ImportState.RUNNING:
                        await memory.keep(import_id)
                        yield TriggerEvent({"import_id": import_id, "state": told.state.value})
                if self.import_ids is not None and set(self.import_ids) <= set(memory.told):
                    return
                await _pause(self.poll_interval)

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
        told = json.loads(text)
    except ValueError:
        return [text.strip()]
    told = told.get("imports") or [] if isinstance(told, Mapping) else told
    return [str(one) for one in told] if isinstance(told, list) else [str(told)]


async def patiently(look: Callable[[], Awaitable[T]], interval: float, budget: float = _ERROR_BUDGET) -> T:
    """Look, and look again for a while where the service fails.

    :param interval: seconds between two tries.
    :param budget: seconds after which the failure is passed on.
    """
    began = time.monotonic()
    while True:
        try:
            return await look()
        except Exception as error:
            if ends_the_wait(error) or time.monotonic() - began >= budget:
                raise
            _log.warning("Polling failed, retrying: %s", headline(error))
        await _pause(interval)


async def _pause(interval: float) -> None:
    await asyncio.sleep(interval * random.uniform(1 - _JITTER, 1 + _JITTER))
