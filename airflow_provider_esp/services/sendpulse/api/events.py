"""Automation events: what a person did, told to SendPulse in any of its ways.

An event goes to its own URL without a credential, as JSON or as a form, or to the REST API by its name. The body is
flat in all of them: the person's ``email`` or ``phone``, the event's variables, and ``automation_id`` as a whole
number at the top where one event's URL is shared by several flows. ``{"result": true}`` says that the event was
taken, not that a flow ran. No event may be sent twice: the vendor knows no key that would tell a repetition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_esp.core.calls import FORM, JSON, Call, form_body, json_body
from airflow_provider_esp.services.sendpulse.api._request import Done, call
from airflow_provider_esp.services.sendpulse.limits import ACCOUNT, EVENTS
from airflow_provider_esp.services.sendpulse.service import SENDPULSE
from airflow_provider_esp.utils.urls import web_address

EVENT_HOST = "https://events.sendpulse.com"
"""The host of event URLs, which also answers `event_by_name` for many accounts."""

_IDENTITY = ("email", "phone")


def event_by_url(
    event_url: str,
    params: Mapping[str, Any],
    *,
    email: str | None = None,
    phone: str | None = None,
    automation_id: int | None = None,
    form: bool = False,
) -> Call[Done]:
    """Send an event without a credential: `POST https://events.sendpulse.com/events/id/{event_hash}/{user_id}`.

    :param event_url: as the event's page shows it; https, or anything on loopback.
    :param params: the event's variables by name, JSON-able. One that is None is left out.
    :param email: the person's address, here or in `params`.
    :param phone: the person's number, here or in `params`.
    :param automation_id: the one flow that shall start, or None for all that wait for the event.
    :param form: send form data instead of JSON.
    :raises ValueError: neither ``email`` nor ``phone`` is there as a string, or the URL is not safe to send to.
    """
    fields = event_fields(params, email=email, phone=phone, automation_id=automation_id)
    return Call(
        service=SENDPULSE.name,
        method="POST",
        path=checked_url(event_url),
        answer=Done,
        label="events/id/{event_hash}/{user_id}",
        content=form_body(dict(form_fields(fields))) if form else json_body(fields),
        content_type=FORM if form else JSON,
        buckets=(EVENTS,),
        authorised=False,
    )


def event_by_name(
    name: str,
    params: Mapping[str, Any],
    *,
    email: str | None = None,
    phone: str | None = None,
    automation_id: int | None = None,
    host: str | None = None,
) -> Call[Done]:
    """Send an event with the account's credential: `POST events/name/{event_name}`.

    :param name: the event's name in its REST address, e.g. ``purchase``.
    :param params: the event's variables by name, JSON-able. One that is None is left out.
    :param email: the person's address, here or in `params`.
    :param phone: the person's number, here or in `params`.
    :param automation_id: the one flow that shall start, or None for all that wait for the event.
    :param host: None for the API's own host, or another that the event's page shows, e.g. `EVENT_HOST`.
    :raises ValueError: neither ``email`` nor ``phone`` is there as a string, or the host is not safe to send to.
    """
    fields = event_fields(params, email=email, phone=phone, automation_id=automation_id)
    made = call("POST", "events/name/{event_name}", Done, name, body=fields, buckets=(*ACCOUNT, EVENTS))
    if host is None:
        return made
    return replace(made, path=f"{checked_url(host).rstrip('/')}/{made.path}")


def event_fields(
    params: Mapping[str, Any], *, email: str | None = None, phone: str | None = None, automation_id: int | None = None
) -> dict[str, Any]:
    """Put an event's flat body together.

    :returns: ``email`` and ``phone`` where they are not empty, ``automation_id``, then the variables.
    :raises ValueError: naming what is missing or of the wrong type, never its value.
    """
    given: dict[str, Any] = {"email": email, "phone": phone, "automation_id": automation_id}
    for name, value in given.items():
        within = params.get(name)
        if value is not None and within is not None and within != value:
            raise ValueError(f"An event got two different values for {name}: its own and one among the parameters.")
        given[name] = within if value is None else value
    identity = {name: _string(name, given[name]) for name in _IDENTITY}
    if not any(identity.values()):
        raise ValueError("An event needs email or phone, as a string; both are missing or empty.")
    flow = given["automation_id"]
    if flow is not None and (not isinstance(flow, int) or isinstance(flow, bool)):
        raise ValueError(f"An event's automation_id is a whole number, not {type(flow).__name__}.")
    rest = {name: value for name, value in params.items() if name not in given and value is not None}
    top = {name: value for name, value in identity.items() if value}
    return {**top, **({} if flow is None else {"automation_id": flow}), **rest}


def _string(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"An event's {name} is a string, not {type(value).__name__}.")  # noqa: TRY004  # a row's fault, not the code's
    return value.strip()


def form_fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Spell nested data as form fields, the way PHP reads it: ``products[0][name]``; booleans are 1 and 0."""
    for name, value in fields.items():
        yield from _form_field(name, value)


def _form_field(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _form_field(f"{name}[{key}]", item)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _form_field(f"{name}[{position}]", item)
    elif value is not None:
        yield name, str(int(value)) if isinstance(value, bool) else str(value)


def checked_url(url: str) -> str:
    """Refuse an address that would send a person's data in the clear, or anywhere by mistake.

    :returns: the address, unchanged.
    :raises ValueError: it is neither https nor on loopback, has no host, or holds a user name.
    """
    try:
        address = web_address(url)
    except ValueError as error:
        raise ValueError(f"The event URL is {error}; copy it from the event's page in SendPulse.") from None
    if address.scheme == "http" and not address.is_loopback:
        raise ValueError("The event URL must be https: it carries people's addresses.")
    return url
