"""Connecting an account from the browser: OAuth's way from a button to kept tokens.

What has to be remembered between two requests travels with the person in a cookie that only this Airflow can read and
write (its Fernet key), so it does not matter which of several API servers answers. The first cookie holds state and
PKCE verifier until the person comes back from the service; the second one the tokens, until the person has seen whose
account they open and says that they are to be kept. Both are good for ten minutes, for one person and one connection.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_esp.connections import EsputnikSettings, parse
from airflow_provider_esp.exceptions import ConnectionInvalid
from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.utils.urls import is_loopback

if TYPE_CHECKING:
    from airflow_provider_esp.connections.oauth import OAuthSettings
    from airflow_provider_esp.core.auth.oauth import Application

ASKED, PENDING = "esp_oauth_asked", "esp_oauth_pending"
GOOD_FOR = 600
"""Seconds."""

_PIECE = 3500
_MOST_PIECES = 4


class ConsentRefused(Exception):
    """An account cannot be connected this way; the sentence is for the person who asked.

    :ivar word: a short word for it, which may stand in an address.
    """

    def __init__(self, sentence: str, word: str = "refused") -> None:
        super().__init__(sentence)
        self.word = word


def target(conn_id: str, callback: str) -> tuple[EsputnikSettings, OAuthSettings, Application]:
    """Return what a connection says of its application, ready to be asked for.

    :param callback: the address that the service leads back to.
    :raises ConsentRefused: the connection has no application, or its tokens cannot be kept from here.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_esp.hooks.credentials import application

    _check_encryption(callback)
    try:
        found = airflow_variables.connection(conn_id)
        if found.conn_type != "esputnik":
            raise ConsentRefused("Only connections of type esputnik use OAuth.")
        names = ("login", "password", "host", "schema", "port", "extra")
        settings = parse("esputnik", **{name: getattr(found, name) for name in names})
    except AirflowNotFoundException:
        raise ConsentRefused("There is no such connection.") from None
    except ConnectionInvalid as invalid:
        raise ConsentRefused(str(invalid)) from None
    if not isinstance(settings, EsputnikSettings) or settings.oauth is None:
        raise ConsentRefused("The connection names no application: fill in its client_id and client_secret first.")
    oauth = settings.oauth
    if oauth.oauth_store not in ("variable", "connection"):
        raise ConsentRefused(
            "The connection keeps its tokens in a file, which the workers read and the API server may not have: use "
            f"the command on a worker (python -m airflow_provider_esp authorize --conn-id {conn_id})."
        )
    if oauth.send_code and oauth.redirect_uri != callback:
        raise ConsentRefused(f"With send_code the connection's redirect_uri has to be {callback}.")
    return settings, oauth, replace(application(oauth, settings.ca_bundle), redirect_uri=callback)


def _check_encryption(callback: str) -> None:
    """Refuse where what has to stay secret would not.

    :raises ConsentRefused: Airflow encrypts nothing, or the code would travel in the clear.
    """
    from airflow.models.crypto import get_fernet

    if not get_fernet().is_encrypted:
        raise ConsentRefused(
            "This Airflow has no [core] fernet_key, so tokens would be kept unencrypted. Set one first.", "fernet"
        )
    if urlsplit(callback).scheme != "https" and not is_loopback(callback):
        raise ConsentRefused(
            "This Airflow is reached over http, so the code would travel unencrypted. Serve it over https, and say so "
            "in [api] base_url."
        )


def new_question(conn_id: str, person: str) -> dict[str, Any]:
    """Return what is remembered of a question: state, verifier, whose, and until when."""
    return {
        "what": ASKED,
        "state": secrets.token_urlsafe(32),
        "verifier": secrets.token_urlsafe(48),
        "conn_id": conn_id,
        "person": person,
        "until": time.time() + GOOD_FOR,
    }


def sealed(kept: Mapping[str, Any]) -> list[str]:
    """Encrypt what is remembered, in pieces that fit into cookies.

    :raises ConsentRefused: it is longer than browsers keep.
    """
    from airflow.models.crypto import get_fernet

    text = get_fernet().encrypt(json.dumps(kept).encode()).decode()
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    if len(pieces) > _MOST_PIECES:
        raise ConsentRefused("The service's tokens are too long for a cookie: use the command to connect.", "failed")
    return pieces


def opened(name: str, cookies: Mapping[str, str], person: str) -> dict[str, Any]:
    """Read what is remembered, for the person that it belongs to.

    :param name: `ASKED` or `PENDING`.
    :raises ConsentRefused: there is nothing, it was not written by this Airflow, it is another person's, or too old.
    """
    from airflow.models.crypto import get_fernet
    from cryptography.fernet import InvalidToken

    text = "".join(cookies.get(f"{name}_{number}", "") for number in range(_MOST_PIECES))
    if not text or not get_fernet().is_encrypted:  # without a key anybody could have written it
        raise ConsentRefused("Nothing was asked for from this browser, or it has been answered already.", "nothing")
    try:
        kept = json.loads(get_fernet().decrypt(text.encode()))
    except (InvalidToken, ValueError):
        raise ConsentRefused("The cookie was not written by this Airflow.", "nothing") from None
    if not isinstance(kept, dict) or kept.get("what") != name:
        raise ConsentRefused("The cookie is another one's.", "nothing")
    if not hmac.compare_digest(str(kept["person"]), person):
        raise ConsentRefused("Another person asked for this.", "person")
    if kept["until"] < time.time():
        raise ConsentRefused("It took longer than ten minutes.", "expired")
    return kept


def check_state(kept: Mapping[str, Any], state: str) -> None:
    """Refuse an answer to a question that this browser has not asked.

    :raises ConsentRefused: the state is another one.
    """
    if not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
        raise ConsentRefused("The answer is not to what this browser has asked.", "state")
