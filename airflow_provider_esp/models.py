"""What DAG files may import of the core: the models that all services share."""

from airflow_provider_esp.core.models import (
    Broadcast,
    BroadcastState,
    Contact,
    Delivery,
    DeliveryState,
    Event,
    Import,
    ImportState,
    Recipient,
    SendResult,
)
from airflow_provider_esp.core.outcomes import Counts, Outcome

__all__ = [
    "Broadcast",
    "BroadcastState",
    "Contact",
    "Counts",
    "Delivery",
    "DeliveryState",
    "Event",
    "Import",
    "ImportState",
    "Outcome",
    "Recipient",
    "SendResult",
]
