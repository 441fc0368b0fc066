"""One `AsyncClient` for everybody who works for the same account on the same event loop.

A triggerer holds thousands of waits; each with connections of its own would be thousands of sockets. A lease
counts its users, and the client is closed with the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow_provider_esp.core.transport.account import Account
    from airflow_provider_esp.core.transport.async_client import AsyncClient


@dataclass(slots=True)
class _Shared:
    client: AsyncClient
    users: int = 0


_class: type[AsyncClient] | None = None

# By the loop itself and not its id: a loop that died with a client in use leaves its id to another.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(account: Account) -> AsyncIterator[AsyncClient]:
    """Lend the loop's client for an account, making it for the first user and closing it with the last."""
    global _class  # noqa: PLW0603  # a thread for each of thousands of calls would cost as much as the call
    if _class is None:
        # The module is heavy (aiohttp): on a loop with thousands of waits it is imported beside, not in, the loop.
        _class = await asyncio.to_thread(_client_class)
    client_class = _class
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(account.key)
    if shared is None:
        shared = clients[account.key] = _Shared(client_class(account))
    shared.users += 1
    try:
        yield shared.client
    finally:
        shared.users -= 1
        if shared.users == 0:
            del clients[account.key]
            await shared.client.close()


def _client_class() -> type[AsyncClient]:
    from airflow_provider_esp.core.transport.async_client import AsyncClient

    return AsyncClient
