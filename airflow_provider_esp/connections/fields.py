"""The table of connection types: every field of every form, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form, kept in the connection's extra under its name in the table.

    :param label: what stands beside it.
    :param description: help in one or two sentences, the default included.
    :param type: its JSON type.
    :param format: how the form shows it. Airflow hides values by a field's *name* (with ``api_key``, ``secret`` or
        ``token`` in it) and not by this, so a ``password`` needs such a name as well.
    :param most: the largest number allowed; the smallest is always above 0.
    :param example: grey text in an empty field, where the form can show it.
    """

    label: str
    description: str
    type: Literal["string", "number", "object"] = "string"
    format: Literal["password", "url", "email"] | None = None
    most: float | None = None
    example: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """One service's connection.

    :param title: the service's name, as people write it.
    :param hook_name: what the list of connection types in Airflow's UI says.
    :param hook: full name of the hook class.
    :param base_url: the address used where none is given; its path is also what an address without a path gets.
    :param standard: Airflow's own fields that the form shows: label and example by name.
    :param extra: this type's own fields by name.
    :param numbered_buckets: how the names of rate limits begin that exist once per object.
    """

    title: str
    hook_name: str
    hook: str
    base_url: str
    standard: Mapping[str, tuple[str, str]]
    extra: Mapping[str, Field]
    numbered_buckets: tuple[str, ...] = ()


HIDDEN = ("port", "schema", "extra")
"""Airflow's own fields that no form needs: address and port are one, and every extra has a field."""

_COMMON = {
    "timezone": Field(
        "Time zone of the account",
        "The zone that the account's settings show, as an IANA name such as Europe/Kyiv: the service writes and "
        "reads times without a zone. Empty means UTC.",
        example="Europe/Kyiv",
    ),
    "rate_share": Field(
        "Share of the rate limits",
        "The part of the account's rate limits that each Airflow process may use, above 0 up to 1. Empty means 1.",
        type="number",
        most=1,
        example="0.5",
    ),
    "rate_limits": Field(
        "Rate limits",
        "Requests per window where the account's limits differ from the documented ones: a JSON object with the "
        "limits' names as keys.",
        type="object",
    ),
    "rate_store": Field(
        "Shared rate limits in",
        "Where all processes of the account share one rate: the id of an Airflow connection to Redis or PostgreSQL, or "
        "a folder as file:///var/lib/airflow/esp-rates for processes of one machine. Empty means that each process "
        "keeps to its share.",
        example="redis_default",
    ),
    "request_timeout": Field(
        "Request timeout",
        "Seconds of silence after which a request is given up, above 0 up to 300. Empty means 60.",
        type="number",
        most=300,
        example="60",
    ),
    "link_template": Field(
        "Link template",
        "Address of the service's own page that a task's Service link opens, https. {kind} becomes message, import, "
        "event or broadcast, {id} its id.",
        format="url",
    ),
    "default_country": Field(
        "Country of phone numbers",
        "Two letters such as UA: phone numbers without + are read as numbers of that country, with or without its "
        "code. Empty means that they must carry their country's code.",
        example="UA",
    ),
    "phone_format": Field(
        "Format of phone numbers",
        "international where every phone number carries its country's code, with or without +. Empty means that "
        "numbers without + are taken only where nothing else can be meant.",
        example="international",
    ),
    "ca_bundle": Field(
        "CA bundle",
        "Path, on the machine that makes the requests, of a PEM file with the certificates to trust instead of the "
        "usual ones.",
        example="/etc/ssl/certs/company.pem",
    ),
}

_OAUTH = {
    "client_id": Field("Client ID", "OAuth 2.0 instead of an API key: the registered application's id."),
    "client_secret": Field("Client secret", "The registered application's secret.", format="password"),
    "application_scope": Field(
        "Application scope",
        "What it was registered with: full, events, events and contacts, or messages. Empty means full.",
        example="events and contacts",
    ),
    "redirect_uri": Field(
        "Callback URL",
        "As registered. Empty means http://127.0.0.1:8765/callback, which the authorize command answers itself.",
        format="url",
    ),
    "oauth_store": Field(
        "Token storage",
        "variable (an Airflow Variable), connection (this one; Airflow 2 only, since tasks of Airflow 3 cannot write "
        "to connections), or the absolute path of a file that every worker sees. Empty means variable.",
        example="variable",
    ),
    # No secret; but Airflow hides whatever has such a name.
    "token_key": Field(
        "Consent name",
        "Tells accounts apart that consented to the same application. Usually empty.",
        format="password",
    ),
    "auth_server": Field(
        "Authorisation server",
        "Address below which oauth/authorize and oauth/token are, https. Empty means eSputnik's own.",
        format="url",
    ),
    "credentials_in": Field(
        "Client credentials in", "The token request's header or its query; the service shows both. Empty means header."
    ),
    "send_code": Field(
        "Send code on refresh", "yes sends the authorization code with every refresh. Empty means no: it is not needed."
    ),
    "oauth_token": Field(
        "Tokens", "Written by the authorize command where tokens are kept in the connection.", format="password"
    ),
}

TYPES: Mapping[str, ConnectionType] = {
    "esputnik": ConnectionType(
        title="eSputnik",
        hook_name="eSputnik (Yespo)",
        hook="airflow_provider_esp.hooks.esputnik.EsputnikHook",
        base_url="https://esputnik.com/api",
        standard={
            "host": ("API address", "https://esputnik.com/api or https://yespo.io/api"),
            "login": ("User name", "api (the service takes any)"),
            "password": ("API key", ""),
        },
        extra={**_OAUTH, **_COMMON},
    ),
    "sendpulse": ConnectionType(
        title="SendPulse",
        hook_name="SendPulse",
        hook="airflow_provider_esp.hooks.sendpulse.SendPulseHook",
        base_url="https://api.sendpulse.com",
        standard={
            "host": ("API address", "https://api.sendpulse.com"),
            "login": ("Client ID", "empty with an API key"),
            "password": ("Client secret", ""),
        },
        extra={
            "api_key": Field(
                "API key", "A key that never expires, instead of client ID and client secret.", format="password"
            ),
            # The address ends in the secret that authorises it, so its name must be one that Airflow hides.
            "secret_event_url": Field(
                "Event URL",
                "Address of one automation event, as the event's page shows it. It needs no other credential.",
                format="password",
            ),
            "sender_name": Field("Sender name", "Who messages come from where an operator does not say."),
            "sender_email": Field(
                "Sender address",
                "The address messages come from where an operator does not say; the account must have it as a sender.",
                format="email",
                example="news@example.com",
            ),
            **_COMMON,
        },
        numbered_buckets=("sendpulse.push.",),
    ),
}
"""Every connection type by its name."""
