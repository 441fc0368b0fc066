"""The half of a hook that tells what became of things: figures and rows. A service without them leaves it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_esp.core.calls import Flow, Service
    from airflow_provider_esp.core.export.schema import Exporter
    from airflow_provider_esp.core.models import Delivery
    from airflow_provider_esp.services.sendpulse.mapping.verification import Verification


class Reporting:
    """The part of `EspHook` that is about results."""

    if TYPE_CHECKING:

        @property
        def service(self) -> Service:
            """The service whose calls the hook runs."""

    def sms_deliveries(self, campaign_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far text messages are whose sending gave one id for all, phone by phone under that id.

        :raises Unsupported: the service gives each text message an id of its own.
        """
        from airflow_provider_esp.exceptions import Unsupported

        raise Unsupported(self.service.title, "look SMS campaigns up", "Give the messages' own ids as request_ids.")

    def exports(self) -> Exporter:
        """Return what reads rows for files: activity, contacts, broadcasts.

        :raises Unsupported: the service has nothing to hand out.
        """
        from airflow_provider_esp.exceptions import Unsupported

        raise Unsupported(self.service.title, "hand out rows for a file")

    def verification(self) -> Verification:
        """Return what verifies addresses.

        :raises Unsupported: the service verifies none.
        """
        from airflow_provider_esp.exceptions import Unsupported

        raise Unsupported(
            self.service.title, "verify addresses", "SendPulse can: its result is a file that any suppress= takes."
        )
