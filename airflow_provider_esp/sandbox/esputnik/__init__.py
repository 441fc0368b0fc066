"""eSputnik (Yespo) as its public documentation describes it, one module per group of methods."""

from __future__ import annotations

from ..service import Service
from ..state import SandboxState
from . import (
    activity,
    broadcasts,
    contacts,
    devices,
    events,
    fields,
    general,
    imports,
    orders,
    promocodes,
    schema,
    segments,
    statuses,
    subscriptions,
    templates,
    uploads,
)
from . import auth as access
from . import datetimes as calendar
from . import duplicate_requests as repeats
from . import legacy_format as legacy
from . import messages as sending
from . import sites as site
from . import template_rendering as wording

_MODULES = (
    *(access, calendar, legacy, repeats, fields, general, imports, uploads, contacts, events, subscriptions),
    *(statuses, activity, broadcasts),
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
        sending.routes,
        statuses.routes,
        broadcasts.routes,
        activity.routes,
        uploads.routes,
        devices.routes,
        orders.routes,
        promocodes.routes,
        site.routes,
    ),
    seed=schema.seed,
    authorise=access.authorise,
    refuse=access.refuse,
    settle=_settle,
    render=wording.render,
    limits=access.LIMITS,
    default_buckets=access.buckets,
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
