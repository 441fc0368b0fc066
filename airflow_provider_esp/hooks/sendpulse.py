"""`SendPulseHook`: SendPulse."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_esp.hooks.esp import EspHook

if TYPE_CHECKING:
    from airflow_provider_esp.connections import SendPulseSettings
    from airflow_provider_esp.core.transport.account import Credential
    from airflow_provider_esp.core.transport.tokens import Token, TokenSource
    from airflow_provider_esp.services.sendpulse.adapter import SendPulseAdapter


class SendPulseHook(EspHook):
    """Runs calls of `airflow_provider_esp.services.sendpulse` with a connection of type ``sendpulse``.

    :param esp_conn_id: the Airflow connection.
    """

    conn_type = "sendpulse"
    hook_name = "SendPulse"
    default_conn_name = "sendpulse_default"

    @property
    def adapter_class(self) -> type[SendPulseAdapter]:
        """What SendPulse can do."""
        from airflow_provider_esp.services.sendpulse.adapter import SendPulseAdapter

        return SendPulseAdapter

    def credential(self, settings: SendPulseSettings) -> Credential:
        """Make client credentials into a token that the whole process shares, or take the static key."""
        from airflow_provider_esp.core.transport.account import Credential
        from airflow_provider_esp.core.transport.tokens import TokenSource, shared_tokens

        if settings.api_key:
            return Credential(identity=settings.api_key, header=f"Bearer {settings.api_key}")
        if not settings.client_id:
            return Credential(identity=settings.event_url or "")
        identity = f"{settings.base_url}\n{settings.client_id}\n{settings.client_secret}"

        def tokens() -> TokenSource:
            return TokenSource(lambda stale: self._fetch_token(settings))

        secrets = (settings.client_secret,) if settings.client_secret else ()
        return Credential(identity=settings.client_id, tokens=shared_tokens(identity, tokens), secrets=secrets)

    def _fetch_token(self, settings: SendPulseSettings) -> Token:
        """Exchange client id and secret for a token: `POST oauth/access_token`."""
        from airflow_provider_esp.core.transport.client import Client
        from airflow_provider_esp.core.transport.retry import RetryPolicy
        from airflow_provider_esp.core.transport.tokens import Token
        from airflow_provider_esp.services.sendpulse.api import account

        # A client of its own, on the same rate limits: this runs beside the requests that wait for the token.
        patience = RetryPolicy(patience=60)
        with Client(replace(self._account(settings), retry=patience)) as client:
            asked_at = time.time()
            answer = client.run(account.access_token(settings.client_id or "", settings.client_secret or ""))
        return Token(answer.access_token, issued_at=asked_at, expires_at=asked_at + answer.expires_in)
