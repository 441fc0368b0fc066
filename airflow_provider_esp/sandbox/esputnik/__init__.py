"""eSputnik (Yespo) as its public documentation describes it, one module per group of methods."""

from __future__ import annotations

from ..service import Service
from ..state import SandboxState
from . import (
    activity,
    auth,
    broadcasts,
    contacts,
    datetimes,
    devices,
    duplicate_requests,
    events,
    fields,
    general,
    imports,
    legacy_format,
    messages,
    orders,
    promocodes,
    schema,
    segments,
    sites,
    statuses,
    subscriptions,
    template_rendering,
    templates,
    uploads,
)

_MODULES = (
    *(auth, datetimes, legacy_format, duplicate_requests, fields, general, imports, uploads, contacts, events),
    *(subscriptions, statuses, activity, broadcasts),
)


def _settle(state: SandboxState) -> None:
    imports.settle(state)
    broadcasts.settle(state)


ESPUTNIK = Service(
    name="esputnik",
    title="eSputnik",
    prefix="/esputnik/api",
    schema=schema.SQL,
    routes=(
        general.routes,
        imports.routes,
        subscriptions.routes,
        contacts.routes,
        segments.routes,
        events.routes,
        templates.routes,
        messages.routes,
        statuses.routes,
        broadcasts.routes,
        activity.routes,
        uploads.routes,
        devices.routes,
        orders.routes,
        promocodes.routes,
        sites.routes,
    ),
    seed=schema.seed,
    authorise=auth.authorise,
    refuse=auth.refuse,
    settle=_settle,
    render=template_rendering.render,
    limits=auth.LIMITS,
    default_buckets=auth.buckets,
    settings={name: setting for module in _MODULES for name, setting in module.SETTINGS.items()},
    sections=(
        contacts.SECTION,
        imports.SECTION,
        events.SECTION,
        broadcasts.SECTION,
        orders.SECTION,
        segments.SECTION,
        templates.SECTION,
        subscriptions.SECTION,
    ),
    actions={"make_activity": activity.make, "make_contacts": imports.make},
)
