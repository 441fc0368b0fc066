"""SendPulse as its public documentation describes it, one module per group of methods."""

from __future__ import annotations

from ..service import Service
from ..state import SandboxState
from . import (
    account,
    addressbooks,
    auth,
    automation,
    blacklist,
    campaign_lifecycle,
    campaign_reports,
    campaigns,
    contact_store,
    contacts,
    emails,
    errors,
    events,
    flows,
    outcomes,
    push,
    seed,
    senders,
    settings,
    sms,
    sms_numbers,
    smtp,
    smtp_reports,
    smtp_unsubscribed,
    tags,
    templates,
    test_actions,
    ui_sections,
    uploads,
    verifier,
    viber,
    webhooks,
)

_TABLES = (
    auth,
    blacklist,
    addressbooks,
    campaign_lifecycle,
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
    auth,
    account,
    automation,
    blacklist,
    addressbooks,
    campaigns,
    campaign_reports,
    contacts,
    events,
    emails,
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
    campaign_lifecycle.settle(state)
    sms.settle(state)
    outcomes.settle(state)
    smtp_unsubscribed.settle(state)


SENDPULSE = Service(
    name="sendpulse",
    title="SendPulse",
    prefix="/sendpulse",
    schema="\n".join(module.SCHEMA for module in _TABLES),
    routes=tuple(module.routes for module in _METHODS),
    seed=seed.seed,
    authorise=auth.authorise,
    refuse=errors.refuse,
    settle=_settle,
    render=templates.render,
    limits=auth.LIMITS,
    default_buckets=auth.buckets,
    settings=settings.SETTINGS,
    sections=ui_sections.SECTIONS,
    actions=test_actions.ACTIONS,
)
