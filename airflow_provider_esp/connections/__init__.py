"""The two connection types, `esputnik` and `sendpulse`: their forms, and the settings read from a filled-in one.

One table (`table.TYPES`) names every field. Airflow 3.2 and later takes the form from it through `provider_info`
(`metadata`), earlier versions through two hook methods (`form_widgets`, `ui_field_behaviour`), and `parse` turns a
connection into checked settings. Nothing here needs Airflow.
"""

from __future__ import annotations

from airflow_provider_esp.connections.fields import TYPES
from airflow_provider_esp.connections.forms import form_widgets, metadata, ui_field_behaviour
from airflow_provider_esp.connections.settings import EsputnikSettings, SendPulseSettings, Settings, parse

__all__ = [
    "TYPES",
    "EsputnikSettings",
    "SendPulseSettings",
    "Settings",
    "form_widgets",
    "metadata",
    "parse",
    "ui_field_behaviour",
]
