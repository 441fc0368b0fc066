"""From the question to the stored tokens: what ``authorize`` does once it knows the application and the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_esp.cli.callback import CallbackServer, read_answer
from airflow_provider_esp.core.auth import oauth
from airflow_provider_esp.core.auth.token_set import TokenSet
from airflow_provider_esp.exceptions import TokensUnreadable

if TYPE_CHECKING:
    from airflow_provider_esp.connections import EsputnikSettings
    from airflow_provider_esp.core.auth.oauth import Application
    from airflow_provider_esp.core.auth.token_store import TokenStore


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person's consent brought.

    :param code: the authorization code.
    :param verifier: the proof that this process asked for it, see `oauth.exchange_code`.
    """

    code: str = field(repr=False)
    verifier: str = field(repr=False)


def ask_for_code(
    app: Application,
    show: Callable[[str], None],
    tell: Callable[[str], None],
    paste: Callable[[], str] | None,
    seconds: float,
) -> Answer:
    """Have a person consent, and return the code with what belongs to it.

    :param show: is given the address of the consent page.
    :param tell: is given sentences about answers that are not ours.
    :param paste: asks for the address that the browser ended at; None waits for the browser on this machine.
    :param seconds: to wait for the browser.
    :raises ConsentDenied: the person said no.
    :raises CallbackRefused: what came is not the answer, or nothing came.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url = oauth.authorize_url(app, state, verifier)
    if paste is not None:
        show(url)
        return Answer(read_answer(paste(), app.redirect_uri, state), verifier)
    with CallbackServer(app.redirect_uri, state, tell) as server:
        show(url)
        return Answer(server.wait(seconds), verifier)


def private_redirect(url: str) -> str:
    """Write a page that leads to the consent page, and return its address for a browser's command line.

    Other users of a machine see the arguments of a process. With the address itself they would know the ``state``, and
    could slip an account of theirs into the answer.

    :param url: the consent page's.
    :returns: a ``file://`` address that only this user can read; the file is removed when the process ends.
    """
    import atexit
    import html
    import shutil
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="esp-consent-"))  # 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    page = folder / "consent.html"
    page.touch(mode=0o600)
    page.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={html.escape(url)}"><title>Consent</title>',
        encoding="utf-8",
    )
    return page.as_uri()


def prove(settings: EsputnikSettings, grant: TokenSet) -> tuple[str, str]:
    """Prove a token with `GET v2/version`, and find out whose account it opens with `GET v1/account/info`.

    :returns: the API's version, and the organisation's name.
    :raises EspError: the API does not take the token, or could not be asked.
    """
    from airflow_provider_esp.core.transport.account import Account, Credential
    from airflow_provider_esp.core.transport.client import Client
    from airflow_provider_esp.core.transport.throttle import shared_throttle
    from airflow_provider_esp.services.esputnik.api import general
    from airflow_provider_esp.services.esputnik.service import ESPUTNIK

    account = Account(
        service=ESPUTNIK,
        base_url=settings.base_url,
        credential=Credential(identity=grant.access_token, header=f"Bearer {grant.access_token}"),
        throttle=shared_throttle(settings.base_url, grant.access_token, settings.rate_share, {}),
        ca_bundle=settings.ca_bundle,
    )
    with Client(account) as client:
        return client.run(general.version()).version, client.run(general.account_info()).organisation_name


def keep(store: TokenStore, grant: TokenSet) -> TokenSet:
    """Put the tokens of a new consent in the place of whatever is there.

    :raises TokenError: they could not be kept.
    """
    try:
        kept = store.load()
    except TokensUnreadable:  # a person has just consented anew: what cannot be used makes room
        store.forget()
        kept = None
    if kept is not None:
        grant = replace(grant, issued_at=max(grant.issued_at, kept.issued_at + 0.001))
    return store.save(grant)
