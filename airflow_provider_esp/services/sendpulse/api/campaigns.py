"""Campaigns: one message to whole mailing lists, from its creation to its figures."""

from __future__ import annotations

import enum
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.sendpulse.api._request import (
    Done,
    Quiet,
    base64_text,
    call,
    flag,
    given,
    numbered,
    paged,
)
from airflow_provider_esp.services.sendpulse.api.campaign_models import (
    Campaign,
    CampaignDetail,
    CampaignMade,
    CampaignStatus,
    Changed,
    RecipientResult,
    Referral,
)
from airflow_provider_esp.services.sendpulse.limits import ACCOUNT, CAMPAIGNS

_LISTS = 10
_ATTACHMENTS = 5


class Progress(enum.Enum):
    """How far a campaign is, in words that any service's broadcast has."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ACTION_REQUIRED = "action_required"


class Status(enum.Enum):
    """The vendor's codes of a campaign, each with what it means and how far the campaign is.

    The words come from the vendor's own integrations; sorting them by progress is ours. A campaign that waits for a
    moderator, its author or its launch goes on only when somebody acts.
    """

    NEW = (0, "new", Progress.RUNNING)
    MODERATION = (1, "pending moderation", Progress.ACTION_REQUIRED)
    SENDING = (2, "sending", Progress.RUNNING)
    SENT = (3, "sent", Progress.DONE)
    TEST = (4, "test, to the owner", Progress.RUNNING)
    BLOCKED = (5, "blocked by the service", Progress.FAILED)
    DELETED = (6, "marked for deletion", Progress.FAILED)
    UPDATING = (7, "status updating", Progress.RUNNING)
    TEST_SENT = (8, "test sent", Progress.DONE)
    DELIVERING = (9, "delivery in progress", Progress.RUNNING)
    PROCESSING = (10, "being processed for sending", Progress.RUNNING)
    MODERATOR_ASKS = (11, "awaiting the user's reply to the moderator", Progress.ACTION_REQUIRED)
    NO_ADDRESSES = (12, "no active addresses", Progress.FAILED)
    CREATING = (13, "creating, addresses are copied", Progress.RUNNING)
    QUEUED = (14, "created and queued", Progress.RUNNING)
    AB_TEST = (15, "awaiting the result of the A/B test", Progress.RUNNING)
    CANCELLED = (16, "cancelled by the user", Progress.FAILED)
    SENDING_PART = (22, "sending partially", Progress.RUNNING)
    SENT_PART = (23, "sent partially", Progress.DONE)
    PART_BLOCKED = (25, "partially sent and blocked", Progress.FAILED)
    DRAFT = (26, "draft", Progress.ACTION_REQUIRED)
    NEEDS_EDITING = (27, "requires editing", Progress.ACTION_REQUIRED)
    RESEND_SCHEDULED = (28, "scheduled resend to unread", Progress.RUNNING)
    NO_BALANCE = (33, "automation, balance exceeded", Progress.FAILED)
    AUTOMATION_DRAFT = (36, "automation draft", Progress.ACTION_REQUIRED)

    def __init__(self, code: int, words: str, progress: Progress) -> None:
        self.code = code
        self.words = words
        self.progress = progress

    @classmethod
    def of(cls, code: int | None) -> Status | None:
        """Return the status of a code, or None for one that is not documented."""
        return next((status for status in cls if status.code == code), None)


def progress(code: int | None) -> Progress:
    """Sort a campaign's status code; one that is not documented is taken for running."""
    status = Status.of(code)
    return Progress.RUNNING if status is None else status.progress


def status_words(code: int | None) -> str:
    """Spell a campaign's status code for a person, e.g. ``3 (sent)``."""
    status = Status.of(code)
    return f"{code} (not documented)" if status is None else f"{code} ({status.words})"


class NewCampaign(Quiet, frozen=True):
    """A campaign to create.

    :ivar html: the body, plain; it is Base64-encoded on the way. Either this or `template_id`.
    :ivar list_ids: up to ten mailing lists; a test takes exactly one. Either this or `segment_id`.
    :ivar send_date: ``Y-m-d H:i:s`` in the account's time zone (see `common.vendor_time`); None for at once. A sender
        whose domain has a strict DMARC policy cannot schedule: the service sends at once.
    :ivar attachments: texts by file name; with `attachments_binary` at most five.
    :ivar attachments_binary: bytes by file name; they are Base64-encoded on the way.
    :ivar amp_html: the AMP version, plain.
    :ivar use_dynamic_list: also send to contacts that are added before the sending begins.
    :ivar utm_campaign: tags for Google Analytics.
    """

    sender_name: str
    sender_email: str
    subject: str
    html: str | None = None
    template_id: int | str | None = None
    list_ids: tuple[int, ...] = ()
    segment_id: int | None = None
    name: str | None = None
    send_date: str | None = None
    attachments: Mapping[str, str] = msgspec.field(default_factory=dict)
    attachments_binary: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    amp_html: str | None = None
    use_dynamic_list: bool | None = None
    track_clicks: bool | None = None
    track_opens: bool | None = None
    utm_campaign: str | None = None


def create(campaign: NewCampaign) -> Call[CampaignMade]:
    """Create a campaign, which sends it at its date: `POST campaigns`. At most four an hour; never repeatable.

    :raises ValueError: the campaign lacks something or has too much of it.
    """
    return _created(campaign)


def create_test(campaign: NewCampaign) -> Call[CampaignMade]:
    """Send a campaign to its own sender, to look at it: `POST campaigns` with ``is_test``."""
    check_test(campaign)
    return _created(campaign, is_test=True)


def check_test(campaign: NewCampaign) -> None:
    """Find out whether a campaign can be a test.

    :raises ValueError: it is not for exactly one mailing list.
    """
    if len(campaign.list_ids) != 1:
        raise ValueError("A test campaign needs exactly one mailing list.")


def create_draft(campaign: NewCampaign) -> Call[CampaignMade]:
    """Create a campaign that somebody launches by hand: `POST campaigns` with type ``draft``."""
    return _created(campaign, type="draft")


def check(campaign: NewCampaign) -> None:
    """Find out whether a campaign can be created.

    :raises ValueError: it lacks something or has too much of it.
    """
    if (campaign.html is None) == (campaign.template_id is None):
        raise ValueError("A campaign needs either html or template_id, and not both.")
    if bool(campaign.list_ids) == (campaign.segment_id is not None):
        raise ValueError("A campaign needs either list_ids or segment_id, and not both.")
    if len(campaign.list_ids) > _LISTS:
        raise ValueError(f"{len(campaign.list_ids)} mailing lists, but a campaign takes up to {_LISTS}.")
    if len(campaign.attachments_binary) + len(campaign.attachments) > _ATTACHMENTS:
        raise ValueError(f"A campaign takes up to {_ATTACHMENTS} attachments.")


def _created(campaign: NewCampaign, **kind: Any) -> Call[CampaignMade]:
    check(campaign)
    files = {name: b64encode(data).decode() for name, data in campaign.attachments_binary.items()}
    lists = campaign.list_ids
    body = given(
        sender_name=campaign.sender_name,
        sender_email=campaign.sender_email,
        subject=campaign.subject,
        body=None if campaign.html is None else base64_text(campaign.html),
        template_id=campaign.template_id,
        list_id=lists[0] if len(lists) == 1 else lists or None,
        segment_id=campaign.segment_id,
        name=campaign.name,
        send_date=campaign.send_date,
        attachments=campaign.attachments or None,
        attachments_binary=files or None,
        body_amp=None if campaign.amp_html is None else base64_text(campaign.amp_html),
        use_dynamic_list=campaign.use_dynamic_list,
        stats=given(clicks=campaign.track_clicks, opens=campaign.track_opens, utm_campaign=campaign.utm_campaign)
        or None,
        **kind,
    )
    return call("POST", "campaigns", CampaignMade, body=body, buckets=(*ACCOUNT, CAMPAIGNS))


def campaigns(
    limit: int = 100,
    offset: int = 0,
    *,
    order: Literal["asc", "desc"] | None = None,
    status: Sequence[int] = (),
    planned: bool | None = None,
) -> Call[list[Campaign]]:
    """Read a page of campaigns: `GET campaigns`.

    :param limit: from 1 to 100.
    :param status: only campaigns with one of these codes.
    :param planned: only those that are planned (the vendor spells it ``planed``).
    """
    query = {"limit": limit, "offset": offset, "order": order, "planed": flag(planned), **numbered("status", status)}
    return call("GET", "campaigns", list[Campaign], query=query)


def all_campaigns(
    *, order: Literal["asc", "desc"] | None = None, status: Sequence[int] = (), planned: bool | None = None
) -> Pages[Campaign]:
    """Read every campaign: `GET campaigns`, page by page."""
    return paged(lambda limit, offset: campaigns(limit, offset, order=order, status=status, planned=planned))


def campaign(campaign_id: int) -> Call[CampaignDetail]:
    """Read a campaign with its figures: `GET campaigns/{id}`."""
    return call("GET", "campaigns/{id}", CampaignDetail, campaign_id)


def campaign_status(campaign_id: int) -> Call[CampaignStatus]:
    """Read how far a campaign is and nothing else, which is what a wait needs: `GET campaigns/{id}`."""
    return call("GET", "campaigns/{id}", CampaignStatus, campaign_id)


def change(
    campaign_id: int,
    *,
    name: str | None = None,
    sender_name: str | None = None,
    sender_email: str | None = None,
    subject: str | None = None,
    template_id: int | str | None = None,
    send_date: str | None = None,
) -> Call[Changed]:
    """Change a campaign that is still to come: `PATCH campaigns/{id}`.

    The service is said to want every field again, not the changed ones alone.

    :param send_date: ``Y-m-d H:i:s`` in the account's time zone.
    :raises ValueError: there is nothing to change.
    """
    body = given(
        name=name,
        sender_name=sender_name,
        sender_email=sender_email,
        subject=subject,
        template_id=template_id,
        send_date=send_date,
    )
    if not body:
        raise ValueError("There is nothing to change in the campaign.")
    return call("PATCH", "campaigns/{id}", Changed, campaign_id, body=body)


def cancel(campaign_id: int) -> Call[Done]:
    """Cancel a campaign; one that is sent already is refused (602): `DELETE campaigns/{id}`."""
    return call("DELETE", "campaigns/{id}", Done, campaign_id)


def countries(campaign_id: int) -> Call[dict[str, int]]:
    """Count openings by country code: `GET campaigns/{id}/countries`."""
    return call("GET", "campaigns/{id}/countries", dict[str, int], campaign_id)


def referrals(campaign_id: int) -> Call[list[Referral]]:
    """Count clicks by link: `GET campaigns/{id}/referrals`."""
    return call("GET", "campaigns/{id}/referrals", list[Referral], campaign_id)


def recipient(campaign_id: int, address: str) -> Call[RecipientResult]:
    """Read what a campaign did with one address: `GET campaigns/{id}/email/{email}`."""
    return call("GET", "campaigns/{id}/email/{email}", RecipientResult, campaign_id, address)
