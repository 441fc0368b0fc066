"""What a connection says, checked: `parse`, and the settings it makes for each service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from airflow_provider_esp.connections.fields import TYPES
from airflow_provider_esp.connections.oauth import OAuthSettings, read_oauth
from airflow_provider_esp.connections.parser import Reader, own_fields, stripped

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every connection says.

    :param base_url: of the API, without trailing slash; https, or http on loopback.
    :param timezone: the account's zone.
    :param rate_share: this process's part of each rate limit, above 0 up to 1.
    :param rate_limits: requests per window by the rate limit's name, where they differ from the documented ones.
    :param rate_store: where the rate limits are kept that all processes of the account share: the id of an Airflow
        connection or the address of a folder, ``file:///...``; None where each process keeps to its share.
    :param request_timeout: seconds of silence after which a request is given up.
    :param link_template: address of the page that task links open, or None.
    :param ca_bundle: a file with the certificates to trust instead of the usual ones, or None.
    :param default_country: the country of phone numbers without plus, two letters, or None.
    :param phone_format: ``international`` where every phone number carries its country code, or None.
    """

    base_url: str
    timezone: ZoneInfo = _UTC
    rate_share: float = 1.0
    rate_limits: Mapping[str, float] = field(default_factory=dict)
    rate_store: str | None = None
    request_timeout: float = 60.0
    link_template: str | None = None
    ca_bundle: str | None = None
    default_country: str | None = None
    phone_format: Literal["international"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EsputnikSettings(Settings):
    """An eSputnik connection, checked: with an API key, or with an application that somebody consented to.

    Neither credential nor user name shows in a `repr`.

    :param user: user name for HTTP Basic, never empty.
    :param api_key: password for HTTP Basic, or None.
    :param oauth: the application, or None.
    """

    user: str = field(repr=False)
    api_key: str | None = field(repr=False)
    oauth: OAuthSettings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPulseSettings(Settings):
    """A SendPulse connection, checked: with client ID and secret, or with an API key, or with an event URL alone.

    No credential and no address shows in a `repr`.

    :param event_url: where events go without a credential, or None.
    :param sender_name: default sender of messages, or None.
    :param sender_email: default sender's address, or None.
    """

    client_id: str | None = field(repr=False)
    client_secret: str | None = field(repr=False)
    api_key: str | None = field(repr=False)
    event_url: str | None = field(repr=False)
    sender_name: str | None = field(repr=False)
    sender_email: str | None = field(repr=False)


def parse(
    conn_type: str,
    *,
    login: str | None = None,
    password: str | None = None,
    host: str | None = None,
    schema: str | None = None,
    port: int | None = None,
    extra: Mapping[str, object] | str | None = None,
) -> EsputnikSettings | SendPulseSettings:
    """Turn the fields of an Airflow connection into checked settings.

    :param conn_type: a name in `TYPES`.
    :param extra: as a mapping, or as the JSON text that Airflow's connection holds.
    :raises ConnectionInvalid: something has to be changed in the connection.
    :raises ValueError: the type is another provider's.
    """
    if conn_type not in TYPES:
        raise ValueError(f"{conn_type!r} is not a connection type of this provider.")
    reader = Reader(conn_type, own_fields(conn_type, extra))
    common = {
        "base_url": reader.base_url(host, schema, port),
        "timezone": reader.timezone(),
        "rate_share": reader.number("rate_share", 1.0),
        "rate_limits": reader.rate_limits(),
        "rate_store": reader.rate_store(),
        "request_timeout": reader.number("request_timeout", 60.0),
        "link_template": reader.url("link_template"),
        "ca_bundle": reader.file("ca_bundle"),
        **reader.phone_rules(),
    }
    if conn_type == "esputnik":
        return _esputnik(reader, login, password, common)
    return _sendpulse(reader, login, password, common)


def _esputnik(reader: Reader, login: str | None, password: str | None, common: dict[str, Any]) -> EsputnikSettings:
    user = stripped(login) or "api"
    if ":" in user or not user.isprintable():
        reader.refuse("leave the login empty, a user name holds no colon and no control characters")
    api_key = reader.secret(password, "API key in the password field")
    oauth = read_oauth(reader, common["base_url"])
    if api_key and oauth:
        reader.refuse("keep the API key (password) or the extras client_id and client_secret, not both")
    if not (api_key or oauth):
        reader.refuse("put the API key into the password field, or give it the extras client_id and client_secret")
    return EsputnikSettings(user=user, api_key=api_key, oauth=oauth, **common)


def _sendpulse(reader: Reader, login: str | None, password: str | None, common: dict[str, Any]) -> SendPulseSettings:
    client_id = reader.secret(login, "client ID in the login field")
    client_secret = reader.secret(password, "client secret in the password field")
    api_key = reader.secret(reader.text("api_key"), "extra api_key")
    event_url = reader.url("secret_event_url")
    if bool(client_id) != bool(client_secret):
        reader.refuse("client ID (login) and client secret (password) go together, give both or neither")
    if client_id and api_key:
        reader.refuse("keep client ID and client secret or the extra api_key, not both")
    if not (client_id or api_key or event_url):
        reader.refuse("give it a client ID (login) and a client secret (password), or the extra api_key")
    if event_url and not urlsplit(event_url).path.strip("/"):
        reader.refuse("the extra secret_event_url must be the whole address from the event's page, not only its host")
    sender_email = reader.text("sender_email")
    if sender_email and (sender_email.count("@") != 1 or " " in sender_email):
        reader.refuse("the extra sender_email must be one bare address such as news@example.com")
    return SendPulseSettings(
        client_id=client_id,
        client_secret=client_secret,
        api_key=api_key,
        event_url=event_url,
        sender_name=reader.text("sender_name"),
        sender_email=sender_email,
        **common,
    )
