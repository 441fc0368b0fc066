"""From the question to the stored tokens: what ``authorize`` does once it knows the application and the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_esp.consent.callback import CallbackServer, read_answer
from airflow_provider_esp.transport import oauth
from airflow_provider_esp.transport.grants import Grant

if TYPE_CHECKING:
    from airflow_provider_esp.connections import EsputnikSettings
    from airflow_provider_esp.transport.oauth import Application
    from airflow_provider_esp.transport.token_store import TokenStore


def ask_for_code(
    app: Application,
    show: Callable[[str], None],
    tell: Callable[[str], None],
    paste: Callable[[], str] | None,
    seconds: float,
) -> str:
    """Have a person consent, and give the code.

    :param show: is given the address of the consent page.
    :param tell: is given sentences about answers that are not ours.
    :param paste: asks for the address that the browser ended at; None waits for the browser on this machine.
    :param seconds: to wait for the browser.
    :raises ConsentDenied: the person said no.
    :raises CallbackRefused: what came is not the answer, or nothing came.
    """
    state = secrets.token_urlsafe(32)
    url = oauth.authorize_url(app, state)
    if paste is not None:
        show(url)
        return read_answer(paste(), app.redirect_uri, state)
    with CallbackServer(app.redirect_uri, state, tell) as server:
        show(url)
        return server.wait(seconds)


def api_version(settings: EsputnikSettings, grant: Grant) -> str:
    """Prove a token with `GET v2/version`, and give the API's version.

    :raises EspError: the API does not take the token, or could not be asked.
    """
    from airflow_provider_esp.services.esputnik import general
    from airflow_provider_esp.services.esputnik.service import ESPUTNIK
    from airflow_provider_esp.transport.client import Client
    from airflow_provider_esp.transport.exchange import Account, Credential
    from airflow_provider_esp.transport.throttle import shared_throttle

    account = Account(
        service=ESPUTNIK,
        base_url=settings.base_url,
        credential=Credential(identity=grant.access_token, header=f"Bearer {grant.access_token}"),
        throttle=shared_throttle(settings.base_url, grant.access_token, settings.rate_share, {}),
        ca_bundle=settings.ca_bundle,
    )
    with Client(account) as client:
        answer = client.run(general.version())
    return answer.version


def keep(store: TokenStore, grant: Grant) -> Grant:
    """Put the tokens of a new consent in the place of whatever is there.

    :raises TokenError: they could not be kept.
    """
    kept = store.load()
    if kept is not None:
        grant = replace(grant, issued_at=max(grant.issued_at, kept.issued_at + 0.001))
    return store.save(grant)
