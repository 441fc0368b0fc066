"""From a connection's OAuth settings to a credential."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_esp.services.esputnik.scopes import COVERS, RIGHTS, MethodGroup, advice

if TYPE_CHECKING:
    from airflow_provider_esp.connections import EsputnikSettings
    from airflow_provider_esp.connections.oauth import OAuthSettings
    from airflow_provider_esp.core.auth.oauth import Application
    from airflow_provider_esp.core.auth.refresher import TokenRefresher
    from airflow_provider_esp.core.calls import Call
    from airflow_provider_esp.core.transport.account import Credential


def application(oauth: OAuthSettings, ca_bundle: str | None) -> Application:
    """Return the application that a connection describes."""
    from airflow_provider_esp.core.auth.oauth import Application

    return Application(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        authorize_url=oauth.authorize_url,
        token_url=oauth.token_url,
        redirect_uri=oauth.redirect_uri,
        credentials_in=oauth.credentials_in,
        send_code=oauth.send_code,
        ca_bundle=ca_bundle,
    )


def renewal(
    oauth: OAuthSettings, ca_bundle: str | None, conn_id: str, clock: Callable[[], float] = time.time
) -> TokenRefresher:
    """Return what renews a connection's tokens, in the store that the connection names."""
    from airflow_provider_esp.core.auth.refresher import TokenRefresher
    from airflow_provider_esp.stores.tokens import token_store

    return TokenRefresher(application(oauth, ca_bundle), token_store(oauth, conn_id), conn_id, clock)


def of(oauth: OAuthSettings, settings: EsputnikSettings, conn_id: str, clock: Callable[[], float]) -> Credential:
    """Return a credential whose token the whole process shares."""
    from airflow_provider_esp.core.transport.account import Credential
    from airflow_provider_esp.core.transport.tokens import TokenSource, shared_tokens

    who = f"{oauth.token_url}\n{oauth.client_id}\n{oauth.token_key}"

    def tokens() -> TokenSource:
        return TokenSource(renewal(oauth, settings.ca_bundle, conn_id, clock).fetch, clock=clock)

    return Credential(
        identity=who,
        tokens=shared_tokens(f"{who}\n{oauth.client_secret}\n{oauth.oauth_store}", tokens),
        explain=lambda call: explanation(call, oauth.right, conn_id),
        secrets=(oauth.client_secret,),
    )


def explanation(call: Call[object], right: str, conn_id: str) -> str:
    """Return what a person may do about a call that the service refused."""
    group = MethodGroup(call.right) if call.right else MethodGroup.GENERAL
    had = RIGHTS[right]
    if group in COVERS[had]:
        return (
            f"The application of connection {conn_id!r} should be allowed this ({had} opens {group}). It may have been "
            "registered with another right, or disconnected in the account (connected applications)."
        )
    return f"The application of connection {conn_id!r} has {had}, and this method is one of {group}. {advice(group)}"
