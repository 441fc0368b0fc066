"""SendPulse as its public documentation describes it, one module per group of methods."""

from __future__ import annotations

from ..service import Service
from ..state import SandboxState
from . import (
    account,
    automation,
    blacklist,
    campaign_reports,
    campaigns,
    contact_store,
    contacts,
    errors,
    events,
    flows,
    outcomes,
    push,
    senders,
    settings,
    sms,
    sms_numbers,
    smtp,
    smtp_reports,
    smtp_unsubscribed,
    tags,
    templates,
    uploads,
    verifier,
    viber,
    webhooks,
)
from . import addressbooks as books
from . import auth as access
from . import campaign_lifecycle as campaign_life
from . import emails as everywhere
from . import seed as seeds
from . import test_actions as actions
from . import ui_sections as sections

_TABLES = (
    access,
    blacklist,
    books,
    campaign_life,
    contact_store,
    events,
    flows,
    outcomes,
    push,
    senders,
    smtp,
    smtp_reports,
    smtp_unsubscribed,
    sms,
    sms_numbers,
    tags,
    templates,
    verifier,
    viber,
    webhooks,
)

_METHODS = (
    access,
    account,
    automation,
    blacklist,
    books,
    campaigns,
    campaign_reports,
    contacts,
    events,
    everywhere,
    push,
    senders,
    smtp,
    smtp_reports,
    smtp_unsubscribed,
    sms,
    sms_numbers,
    tags,
    templates,
    uploads,
    verifier,
    viber,
    webhooks,
)


def _settle(state: SandboxState) -> None:
    """Let everything happen that is due: contacts become active, campaigns begin, people leave and come back."""
    contact_store.settle(state)
    campaign_life.settle(state)
    sms.settle(state)
    outcomes.settle(state)
    smtp_unsubscribed.settle(state)


SENDPULSE = Service(
    name="sendpulse",
    title="SendPulse",
    prefix="/sendpulse",
    schema="\n".join(module.SCHEMA for module in _TABLES),
    routes=tuple(module.routes for module in _METHODS),
    seed=seeds.seed,
    authorise=access.authorise,
    refuse=errors.refuse,
    settle=_settle,
    render=templates.render,
    limits=access.LIMITS,
    default_buckets=access.buckets,
    settings=settings.SETTINGS,
    sections=sections.SECTIONS,
    actions=actions.ACTIONS,
)
