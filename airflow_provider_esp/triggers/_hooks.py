"""The hook of a connection, shared by all who wait on one event loop.

A triggerer takes up thousands of waits at once when it starts. Were each to look up its connection, Airflow would be
busy with that for minutes, and were each to keep a hook, the garbage collector would walk through all of them. So for a
minute whoever asks on the same loop gets the same hook; a connection that was changed is read by the waits after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow_provider_esp.hooks.esp import EspHook

_SECONDS = 60.0


@dataclass(slots=True)
class _Hooks:
    known: dict[str, tuple[float, EspHook]] = field(default_factory=dict)
    asked: dict[str, asyncio.Task[EspHook]] = field(default_factory=dict)


_hooks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hooks] = WeakKeyDictionary()


async def hook_for(conn_id: str) -> EspHook:
    """Return the hook of a connection without holding the loop.

    :param conn_id: id of a connection of any of this provider's types.
    :raises TypeError: the connection is of another provider's type.
    """
    loop = asyncio.get_running_loop()
    hooks = _hooks.setdefault(loop, _Hooks())
    since, hook = hooks.known.get(conn_id, (0.0, None))
    if hook is not None and loop.time() - since < _SECONDS:
        return hook
    if conn_id not in hooks.asked:
        hooks.asked[conn_id] = loop.create_task(_look_up(conn_id, hooks))
    # Who asked first may be cancelled; the others still want to know.
    return await asyncio.shield(hooks.asked[conn_id])


async def _look_up(conn_id: str, hooks: _Hooks) -> EspHook:
    try:
        # Importing a hook takes long the first time; the loop has other waits to serve meanwhile.
        hook = await (await asyncio.to_thread(_hook_class)).afor_connection(conn_id)
        hooks.known[conn_id] = (asyncio.get_running_loop().time(), hook)
        return hook
    finally:
        del hooks.asked[conn_id]


def _hook_class() -> type[EspHook]:
    from airflow_provider_esp.hooks.esp import EspHook

    return EspHook
