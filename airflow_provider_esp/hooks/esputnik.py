"""`EsputnikHook`: eSputnik, also sold as Yespo."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from airflow_provider_esp.hooks.esp import EspHook

if TYPE_CHECKING:
    from airflow_provider_esp.connections import EsputnikSettings
    from airflow_provider_esp.core.transport.account import Credential
    from airflow_provider_esp.services.esputnik.adapter import EsputnikAdapter


class EsputnikHook(EspHook):
    """Runs calls of `airflow_provider_esp.services.esputnik` with a connection of type ``esputnik``.

    :param esp_conn_id: the Airflow connection.
    """

    conn_type = "esputnik"
    hook_name = "eSputnik (Yespo)"
    default_conn_name = "esputnik_default"

    @property
    def adapter_class(self) -> type[EsputnikAdapter]:
        """What eSputnik can do."""
        from airflow_provider_esp.services.esputnik.adapter import EsputnikAdapter

        return EsputnikAdapter

    def credential(self, settings: EsputnikSettings) -> Credential:
        """Make the API key into HTTP Basic, or take the tokens that somebody consented to.

        In HTTP Basic the user's name means nothing and may not be empty.
        """
        from airflow_provider_esp.core.transport.account import Credential

        if settings.oauth is not None:
            from airflow_provider_esp.hooks import credentials

            return credentials.of(settings.oauth, settings, self.esp_conn_id, self.clock)
        pair = base64.b64encode(f"{settings.user}:{settings.api_key}".encode()).decode()
        return Credential(identity=settings.api_key or "", header=f"Basic {pair}")
