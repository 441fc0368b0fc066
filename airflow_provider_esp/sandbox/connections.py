"""Airflow connections to a sandbox, as environment variables: what tests and scratch installations set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Sandbox


def as_environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the variables that make Airflow's connections `esputnik_default` and `sendpulse_default`.

    The accounts' time zone stands in them, as it should in yours.
    """
    settings = sandbox.state.settings
    told = {
        "AIRFLOW_CONN_ESPUTNIK_DEFAULT": {
            "conn_type": "esputnik",
            "host": sandbox.esputnik_url,
            "password": "sandbox-key",
            "extra": {"timezone": settings["esputnik.time_zone"]},
        },
        "AIRFLOW_CONN_SENDPULSE_DEFAULT": {
            "conn_type": "sendpulse",
            "host": sandbox.sendpulse_url,
            "login": "sandbox-id",
            "password": "sandbox-secret",
            "extra": {
                "timezone": settings["sendpulse.time_zone"],
                "sender_email": "sender@sandbox.example",
                "sender_name": "Sandbox",
            },
        },
    }
    return {name: json.dumps(fields) for name, fields in told.items()}
