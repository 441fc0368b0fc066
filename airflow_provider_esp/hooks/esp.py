"""`EspHook`: an Airflow connection made into an account at a service.

A hook has the connection, the credential and the clients, and runs calls with them: synchronously on a worker and
asynchronously in a trigger. What the service can do is its `adapter`'s. The hook for a connection is found through the
connection's type, Airflow's own registry.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_esp import connections
from airflow_provider_esp.core.stopping import Stop
from airflow_provider_esp.exceptions import headline

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_esp.core.adapter import ServiceAdapter, Work
    from airflow_provider_esp.core.calls import Call, Flow, Pages, Service
    from airflow_provider_esp.core.transport.account import Account, Credential
    from airflow_provider_esp.core.transport.client import Client
    from airflow_provider_esp.core.transport.throttle import RateLimiter, Throttle

T = TypeVar("T")
R = TypeVar("R")


class EspHook(BaseHook):
    """The common half of `EsputnikHook` and `SendPulseHook`; a context manager that closes the connections.

    :param esp_conn_id: the Airflow connection; read when the first call is made, never before.
    """

    conn_name_attr = "esp_conn_id"
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    default_conn_name: ClassVar[str]

    def __init__(self, esp_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.esp_conn_id = esp_conn_id or self.default_conn_name
        self.stop = Stop()
        """Says that the task is being ended: then nothing is asked of the service any more."""
        self.reads_only = False
        """Whether `run` refuses whatever writes, for a dry run."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Airflow before 3.2 looks for these two in the class itself and takes no inherited ones.
        for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
            if name not in cls.__dict__:
                setattr(cls, name, classmethod(getattr(EspHook, name).__func__))

    @classmethod
    def for_connection(cls, conn_id: str) -> EspHook:
        """Return the hook that belongs to a connection's type.

        :param conn_id: id of a connection of any of this provider's types.
        :raises TypeError: the connection is of another provider's type.
        """
        return cls._checked(BaseHook.get_hook(conn_id), conn_id)

    @classmethod
    async def afor_connection(cls, conn_id: str) -> EspHook:
        """Do what `for_connection` does, on an event loop."""
        from airflow.providers.common.compat.connection import get_async_connection

        connection = await get_async_connection(conn_id)
        hook = cls._checked(await _in_thread(connection.get_hook), conn_id)
        hook._use(connection)
        return hook

    @staticmethod
    def _checked(hook: object, conn_id: str) -> EspHook:
        if not isinstance(hook, EspHook):
            raise TypeError(
                f"Connection {conn_id!r} is not one to an email service; its type must be esputnik or sendpulse."
            )
        return hook

    @staticmethod
    def clock() -> float:
        """Return the time that tokens are judged by, in seconds since the epoch."""
        return time.time()

    # -- what a subclass says of its service -------------------------------------------------------------------

    @property
    @abstractmethod
    def adapter_class(self) -> type[ServiceAdapter[Any]]:
        """What the service can do: the class of `adapter`."""

    @abstractmethod
    def credential(self, settings: Any) -> Credential:
        """Make the credential that the connection's settings describe."""

    @cached_property
    def adapter(self) -> ServiceAdapter[Any]:
        """What the service can do, with the connection's settings.

        On an event loop, take the hook from `afor_connection`, which has read them.
        """
        return self.adapter_class(self.settings, self.clock)

    @property
    def service(self) -> Service:
        """The service whose calls this hook runs."""
        return self.adapter_class.service

    # -- running calls -----------------------------------------------------------------------------------------

    def check_access(self, *work: Work) -> None:
        """Do, when a task starts and before any row is read, what would otherwise go wrong or wait later.

        To be called on the main thread: a token that has to be fetched from a store in Airflow is fetched here, so
        that threads which make requests find it.

        :param work: what the task is about to do.
        :raises ScopeMissing: the connection's application may not do it.
        :raises EspError: there is no token to do it with.
        """
        self.adapter.check_access(work, self.esp_conn_id)
        tokens = self.account.credential.tokens
        if tokens is not None:
            tokens.prime()

    def run(
        self,
        work: Call[T] | Flow[T],
        *,
        timeout: float | None = None,
        retries: int | None = None,
        deadline: float | None = None,
    ) -> T:
        """Carry out a call or a flow, with this connection's credential, rate limits and retries.

        :param work: from `adapter`, or from the functions of `airflow_provider_esp.services.<service>`.
        :param timeout: seconds that a request may take, and wait for its turn; None for what the connection says.
        :param retries: how many times a request that failed is sent again; None for as often as usual.
        :param deadline: seconds after which no request leaves any more, for what must not linger; None for `timeout`.
        :returns: the answer, of the type that the call names.
        :raises DryRunWrite: it writes, and `reads_only` is set.
        :raises EspError: saying what happened, to which method, and what to do next; also where the rate limits leave
            no place in time.
        """
        if timeout is None and retries is None and deadline is None:
            return self.get_conn().run(self._allowed(work))
        from airflow_provider_esp.core.transport.client import Client

        with Client(self._hurried(timeout, retries, deadline), self.stop) as client:
            return client.run(self._allowed(work))

    def _hurried(self, timeout: float | None, retries: int | None, deadline: float | None) -> Account:
        """Return the account with less patience; arguments as in `run`."""
        from dataclasses import replace

        from airflow_provider_esp.core.transport.account import Timeouts

        account = self.account
        if timeout is not None:
            account = replace(account, timeouts=Timeouts(connect=timeout, silence=timeout, total=timeout))
        patience = timeout if deadline is None else deadline
        retry = account.retry if patience is None else replace(account.retry, patience=patience)
        return replace(account, retry=retry if retries is None else replace(retry, attempts=retries + 1))

    def _allowed(self, work: Call[T] | Flow[T]) -> Call[T] | Flow[T]:
        if not self.reads_only:
            return work
        from airflow_provider_esp.core.simulation import only_reads

        return only_reads(work)

    def iterate(self, pages: Pages[R]) -> Iterator[R]:
        """Hand out the rows of a long answer one at a time, as they come."""
        return self.get_conn().iterate(pages)

    async def arun(self, work: Call[T] | Flow[T]) -> T:
        """Do what `run` does, on an event loop, over the connections that the loop shares."""
        from airflow_provider_esp.core.transport.shared_clients import shared_client

        async with shared_client(await self._aaccount()) as client:
            return await client.run(work)

    @asynccontextmanager
    async def keep_open(self) -> AsyncIterator[None]:
        """Keep the loop's connections open between calls: for whoever polls."""
        from airflow_provider_esp.core.transport.shared_clients import shared_client

        async with shared_client(await self._aaccount()):
            yield

    def get_conn(self) -> Client:
        """Return the synchronous client; threads may share it."""
        return self._client

    def close(self) -> None:
        """Close the connections, if there are any."""
        if "_client" in self.__dict__:
            self._client.close()
            del self.__dict__["_client"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """Make one cheap real request, for the button in Airflow's connection form.

        :returns: whether it worked, and one sentence: the organisation's name, or what is wrong and what to change.
        """
        from airflow_provider_esp.exceptions import ConnectionInvalid, EspError

        try:
            name = self.run(self.adapter.account_name())
        except (EspError, ConnectionInvalid) as error:
            return False, headline(error)
        finally:
            self.close()
        return True, f"Connected to {self.service.title} as {name}."

    # -- the connection ----------------------------------------------------------------------------------------

    def read_settings(self, connection: Any) -> Any:
        """Check an Airflow connection of this hook's type.

        A service of another package overrides this, and gives a `connections.Settings` of its own.

        :raises ConnectionInvalid: something in the connection has to be changed.
        """
        return connections.parse(
            self.conn_type,
            login=connection.login,
            password=connection.password,
            host=connection.host,
            schema=connection.schema,
            port=connection.port,
            extra=connection.extra,
        )

    @cached_property
    def settings(self) -> Any:
        """The connection's settings, checked.

        :raises ConnectionInvalid: something in the connection has to be changed.
        """
        return self.read_settings(self.get_connection(self.esp_conn_id))

    @cached_property
    def account(self) -> Account:
        """The account that the connection describes."""
        return self._account(self.settings)

    @cached_property
    def _client(self) -> Client:
        from airflow_provider_esp.core.transport.client import Client

        return Client(self.account, self.stop)

    def _use(self, connection: Any) -> None:
        """Take a connection that was already fetched, on a loop where fetching must be awaited."""
        self.__dict__["settings"] = self.read_settings(connection)

    async def _aaccount(self) -> Account:
        if "settings" not in self.__dict__:
            from airflow.providers.common.compat.connection import get_async_connection

            self._use(await get_async_connection(self.esp_conn_id))
        rates = self.settings.rate_store
        if "account" not in self.__dict__ and rates and "://" not in rates:
            from airflow.providers.common.compat.connection import get_async_connection

            self.__dict__["_rate_connection"] = await get_async_connection(rates)
        return self.account

    @cached_property
    def _rate_connection(self) -> Any:
        """The Airflow connection to what keeps the rate limits that all processes share."""
        return self.get_connection(self.settings.rate_store)

    def _account(self, settings: Any) -> Account:
        from airflow_provider_esp.core.transport.account import Account, Timeouts
        from airflow_provider_esp.core.transport.throttle import shared_throttle

        credential = self.credential(settings)
        throttle = shared_throttle(
            settings.base_url,
            credential.identity,
            settings.rate_share,
            dict(settings.rate_limits),
            rate_store=settings.rate_store,
            over=self._over_all_processes(settings, credential.identity) if settings.rate_store else None,
        )
        return Account(
            service=self.service,
            base_url=settings.base_url,
            credential=credential,
            throttle=throttle,
            timeouts=Timeouts(silence=settings.request_timeout),
            ca_bundle=settings.ca_bundle,
        )

    def _over_all_processes(self, settings: Any, identity: str) -> Callable[[Throttle], RateLimiter]:
        """Return what makes the limiter that all processes of an account share."""
        from airflow_provider_esp.core.transport.shared_throttle import SharedThrottle
        from airflow_provider_esp.stores.rates import account_key, open_rates

        store = open_rates(
            settings.rate_store,
            account_key(settings.base_url, identity),
            lambda: self._rate_connection,
            self.service.title,
        )
        return lambda local: SharedThrottle(store, local, settings.rate_limits)

    # -- connection forms of Airflow before 3.2; later versions read provider_info ---------------------------------

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's own fields, as Airflow before 3.2 wants them."""
        return connections.form_widgets(cls.conn_type) if cls.conn_type in connections.TYPES else {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return names, placeholders and hidden fields, as Airflow before 3.2 wants them."""
        if cls.conn_type in connections.TYPES:
            return connections.ui_field_behaviour(cls.conn_type)
        return {"hidden_fields": [], "relabeling": {}, "placeholders": {}}


async def _in_thread(function: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(function)
