"""`ToyHook`: a connection of type ``toy`` made into an account."""

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_esp.connections import Settings
from airflow_provider_esp.core.transport.account import Credential
from airflow_provider_esp.hooks.esp import EspHook

from .adapter import ToyAdapter


@dataclass(frozen=True, kw_only=True)
class ToySettings(Settings):
    key: str = field(repr=False)


class ToyHook(EspHook):
    conn_type, hook_name, default_conn_name = "toy", "Toy", "toy_default"
    adapter_class = ToyAdapter

    def read_settings(self, connection: Any) -> ToySettings:
        return ToySettings(base_url=connection.host, key=connection.password)

    def credential(self, settings: ToySettings) -> Credential:
        return Credential(identity=settings.key, header=f"Bearer {settings.key}")
