"""The OAuth 2.0 part of an eSputnik connection: its fields, and the settings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from airflow_provider_esp.connections.parser import Reader

RIGHTS = ("full", "events", "events and contacts", "messages")
"""What an application may be registered with, as a connection names it."""

_SERVERS = {"yespo.io": "https://uaa.yespo.io/uaa"}
_SERVER = "https://uaa.esputnik.com/uaa"
_CALLBACK = "http://127.0.0.1:8765/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """A registered application, and where its tokens are kept; no secret shows in a `repr`.

    :param right: the right the application has, one of `RIGHTS`.
    :param token_key: tells accounts apart that consented to the same application; usually empty.
    :param oauth_store: where tokens are kept: ``variable``, ``connection``, or the absolute path of a file.
    :param credentials_in: ``header`` or ``query``.
    :param send_code: whether a refresh carries the code as well.
    """

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    redirect_uri: str
    right: str
    token_key: str
    oauth_store: str
    credentials_in: str
    send_code: bool


def read_oauth(reader: Reader, base_url: str) -> OAuthSettings | None:
    """Read the application from a connection's extra; None where there is none.

    :param base_url: the API's, which says whose authorisation server is meant where no address is given.
    :raises ConnectionInvalid: something has to be changed in the connection.
    """
    client_id = reader.secret(reader.text("client_id"), "extra client_id")
    client_secret = reader.secret(reader.text("client_secret"), "extra client_secret")
    if not (client_id or client_secret):
        return None
    if not (client_id and client_secret):
        reader.refuse("the extras client_id and client_secret go together, give both or neither")
    server = _https(reader, "auth_server") or next(
        (at for host, at in _SERVERS.items() if _is_under(base_url, host)), _SERVER
    )
    return OAuthSettings(
        client_id=client_id,
        client_secret=client_secret,
        authorize_url=f"{server}/oauth/authorize",
        token_url=f"{server}/oauth/token",
        redirect_uri=reader.url("redirect_uri") or _CALLBACK,
        right=_choice(reader, "application_scope", {name: name for name in RIGHTS}, "full"),
        token_key=reader.text("token_key") or "",
        oauth_store=_store(reader),
        credentials_in=_choice(reader, "credentials_in", {"header": "header", "query": "query"}, "header"),
        send_code=_choice(reader, "send_code", {"yes": "yes", "true": "yes", "no": "no", "false": "no"}, "no") == "yes",
    )


def _is_under(url: str, host: str) -> bool:
    name = urlsplit(url).hostname or ""
    return name == host or name.endswith(f".{host}")


def _https(reader: Reader, name: str) -> str | None:
    url = reader.url(name)
    if url and not url.lower().startswith("https://"):
        reader.refuse(f"the extra {name} must begin with https://, on this machine as well")
    return url and url.rstrip("/")


def _choice(reader: Reader, name: str, choices: Mapping[str, str], default: str) -> str:
    given = (reader.text(name) or default).lower()
    if given not in choices:
        reader.refuse(f"the extra {name} must be one of: {', '.join(choices)}")
    return choices[given]


def _store(reader: Reader) -> str:
    given = (reader.text("oauth_store") or "variable").removeprefix("file://").removeprefix("file:")
    if given.lower() in ("variable", "connection"):
        return given.lower()
    if not Path(given).is_absolute():
        reader.refuse("the extra oauth_store must be variable, connection, or the absolute path of a file")
    return given
