"""What a service's hook can do for Airflow's UI, for notifiers and for assets; a service may leave it as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from airflow_provider_esp.core.account_events import AccountWatcher, WatchOptions
    from airflow_provider_esp.core.calls import Call, Flow, Service
    from airflow_provider_esp.core.models import SendResult
    from airflow_provider_esp.core.notification_model import Notification
    from airflow_provider_esp.core.transport.exchange import Account
    from airflow_provider_esp.exceptions import Unsupported

T = TypeVar("T")


class Telling:
    """The part of `EspHook` that tells people and DAGs of things."""

    if TYPE_CHECKING:

        @property
        def service(self) -> Service:
            """The service whose calls the hook runs."""

        @property
        def account(self) -> Account:
            """The account that the connection describes."""

    def message_page(self, message_id: str) -> Flow[str]:
        """Ask for the address at which a prepared message can be looked at.

        :raises Unsupported: the service has no such address.
        """
        raise self._cannot("tell the address of a message")

    def notice(self, notice: Notification) -> Flow[list[SendResult]]:
        """Send a few words to a few people by e-mail or SMS; never to be repeated by itself.

        :raises Unsupported: the service cannot send them.
        """
        raise self._cannot("send a message that is not prepared")

    def watch(self, watching: WatchOptions) -> AccountWatcher:
        """Prepare looking at the whole account again and again, for DAGs that start by what happens there.

        :raises Unsupported: the service has nothing to look at.
        """
        raise self._cannot("tell what happens at an account")

    def run_briefly(self, work: Call[T] | Flow[T], seconds: float = 5.0) -> T:
        """Do what `run` does, once and without patience: for what is nice to have and must not hold a task up.

        :param seconds: how long it may take.
        """
        from airflow_provider_esp.core.transport.client import Client
        from airflow_provider_esp.core.transport.exchange import Timeouts
        from airflow_provider_esp.core.transport.retry import RetryPolicy

        brief = replace(
            self.account,
            retry=RetryPolicy(attempts=1, patience=seconds),
            timeouts=Timeouts(connect=seconds, silence=seconds, total=seconds),
        )
        with Client(brief) as client:
            return client.run(work)

    def _cannot(self, feature: str) -> Unsupported:
        from airflow_provider_esp.exceptions import Unsupported

        return Unsupported(self.service.title, feature)
