"""What a service's hook can tell of prices before something is sent; one that tells none leaves these as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_esp.core.broadcasts.create import BroadcastTarget
    from airflow_provider_esp.core.calls import Flow, Service
    from airflow_provider_esp.core.models import BroadcastOptions, MessageOptions
    from airflow_provider_esp.core.pricing import Estimate, Pricing


class Spending:
    """The part of `EspHook` that is about money."""

    if TYPE_CHECKING:

        @property
        def service(self) -> Service:
            """The service whose calls the hook runs."""

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what is known of a message's price, and of the account's money.

        :raises Unsupported: the service does not tell.
        """
        raise self._tells_no_price()

    def broadcast_estimate(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Ask what a broadcast needs, and whether the account has it.

        :raises Unsupported: the service does not tell.
        """
        raise self._tells_no_price()

    def _tells_no_price(self) -> Exception:
        from airflow_provider_esp.exceptions import Unsupported

        return Unsupported(self.service.title, "tell what a send costs (check_balance)")
