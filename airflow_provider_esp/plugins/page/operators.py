"""Which task instances the page is about: those of this provider's operators and sensors, by the names of classes."""

from __future__ import annotations

CAMPAIGNS = (
    "BroadcastSensor",
    "CancelBroadcastOperator",
    "CreateBroadcastOperator",
    "DeliverySensor",
    "ExportBroadcastStatsOperator",
    "SendEventOperator",
    "SendEventsOperator",
    "SmartSendOperator",
)
"""Those that send, or wait for what is sent."""

OTHERS = (
    "ExportActivityOperator",
    "ExportContactsOperator",
    "ImportContactsFromUrlOperator",
    "ImportSensor",
    "RefreshTokensOperator",
    "SyncContactsOperator",
    "UploadContactsOperator",
    "VerifyContactsOperator",
)


def all_names() -> tuple[str, ...]:
    """Return the names of all operators and sensors, with those of authors that ``[esp] page_operators`` has."""
    from airflow.providers.common.compat.sdk import conf

    own = conf.get("esp", "page_operators", fallback="") or ""
    return (*CAMPAIGNS, *OTHERS, *(name.strip() for name in own.split(",") if name.strip()))
