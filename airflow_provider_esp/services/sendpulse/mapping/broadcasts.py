"""Campaigns: between the words both services share, where they are broadcasts, and SendPulse's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from msgspec.structs import replace

from airflow_provider_esp.core import models
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import BroadcastGoal, BroadcastLook, BroadcastOptions, BroadcastState
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.sendpulse.api import campaigns
from airflow_provider_esp.services.sendpulse.api._request import vendor_time
from airflow_provider_esp.services.sendpulse.api.campaign_models import Campaign
from airflow_provider_esp.services.sendpulse.api.campaigns import Status
from airflow_provider_esp.services.sendpulse.limits import PAGE
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping
from airflow_provider_esp.services.sendpulse.service import SENDPULSE

_STARTED = frozenset(
    {
        *(Status.SENDING, Status.SENT, Status.TEST, Status.UPDATING, Status.TEST_SENT, Status.DELIVERING),
        *(Status.SENDING_PART, Status.SENT_PART, Status.PART_BLOCKED, Status.RESEND_SCHEDULED),
    }
)


def broadcast(campaign_id: int, name: str, code: int | None, send_date: str, zone: tzinfo) -> models.Broadcast:
    """Put what the service says of a campaign into the words both services share.

    :param code: of the status, as `campaigns.Status` has them.
    :param send_date: as the service writes it; empty where it does not say.
    :param zone: the account's.
    """
    status = Status.of(code)
    return models.Broadcast(
        id=str(campaign_id),
        title=name,
        state=BroadcastState(campaigns.progress(code).value),
        status="" if code is None else campaigns.status_words(code),
        documented=status is not None or code is None,
        started=None if status is None else status in _STARTED,
        cancelled=status in (Status.CANCELLED, Status.DELETED),
        starts_at=_moment(send_date, zone),
    )


def _moment(written: str, zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromisoformat(written).replace(tzinfo=zone)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class NewBroadcast:
    """A campaign whose mailing lists are known by id, ready to be created.

    :param zone: the account's.
    """

    options: BroadcastOptions
    campaign: campaigns.NewCampaign
    zone: tzinfo
    segments: tuple[str, ...]
    excluded: tuple[str, ...] = ()

    def create(self, title: str) -> Flow[models.Broadcast]:
        """Create it: `POST campaigns`. Sent twice it makes two."""
        make = campaigns.create
        if self.options.is_test:
            make = campaigns.create_test
        elif self.options.draft:
            make = campaigns.create_draft
        made = yield from make(replace(self.campaign, name=title))
        return broadcast(made.id, title, made.status, "", self.zone)


def prepare(
    options: BroadcastOptions, zone: tzinfo, sender_name: str | None, sender_email: str | None
) -> Flow[NewBroadcast]:
    """Look up the mailing lists that a campaign names, and refuse what cannot be had.

    :param sender_name: the connection's, for options that name none.
    :param sender_email: the connection's, for options that name none.
    :raises ObjectNotFound: the account has no such mailing list.
    :raises Unsupported: the options ask for what only eSputnik can do.
    :raises ValueError: something is missing, or there is too much of it.
    """
    for asked, feature in (
        (options.segments_exclude, "leave segments out of a campaign (segments_exclude)"),
        (options.batch_size or options.batch_interval, "send a campaign in batches (batch_size, batch_interval)"),
        (options.domain, "send to a domain's web push subscribers in a campaign (domain)"),
        (options.app_id, "send to an application in a campaign (app_id)"),
    ):
        if asked:
            raise Unsupported(SENDPULSE.title, feature)
    name, email = options.sender_name or sender_name, options.sender_email or sender_email
    if not email:
        raise ValueError("SendPulse needs a sender: give sender_email=, or put it into the connection's extra.")
    if not options.subject:
        raise ValueError("SendPulse's campaigns need a subject: give subject=.")
    if options.is_test and options.draft:
        raise ValueError("A campaign is a test (is_test) or a draft (draft), not both.")
    books: list[int] = []
    for book in options.segments:
        books.append((yield from contact_mapping.book_id(book)))
    campaign = campaigns.NewCampaign(
        sender_name=name or email,
        sender_email=email,
        subject=options.subject,
        html=options.body,
        template_id=options.message_id,
        list_ids=tuple(books),
        segment_id=options.segment_id,
        send_date=None if options.start is None else vendor_time(options.start, zone),
    )
    campaigns.check(campaign)
    if options.is_test:
        campaigns.check_test(campaign)
    return NewBroadcast(options, campaign, zone, tuple(map(str, books)))


def find(marker: str, zone: tzinfo) -> Flow[list[models.Broadcast]]:
    """Find campaigns by a text in their name: `GET campaigns`, to the last page.

    :raises RuntimeError: the service answers the same rows again and again.
    """
    found: dict[int, models.Broadcast] = {}
    seen: set[int] = set()
    again = 0

    def look(told: Campaign) -> None:
        nonlocal again
        again = again + 1 if told.id in seen else 0
        seen.add(told.id)
        if again >= PAGE:
            raise RuntimeError(f"GET campaigns answers the same {PAGE} campaigns again instead of the next ones.")
        if marker in told.name:
            found[told.id] = broadcast(told.id, told.name, told.status, told.send_date, zone)

    yield from for_each(campaigns.all_campaigns(), look)
    return list(found.values())


def read(broadcast_id: str, zone: tzinfo) -> Flow[models.Broadcast]:
    """Read how far a campaign is: `GET campaigns/{id}`."""
    told = yield from campaigns.campaign_status(_number(broadcast_id))
    return broadcast(told.id, told.name, told.status, "", zone)


def cancel(broadcast_id: str) -> Flow[None]:
    """Cancel a campaign that has not begun to send: `DELETE campaigns/{id}`."""
    yield from campaigns.cancel(_number(broadcast_id))


def _number(broadcast_id: str) -> int:
    if not (broadcast_id.isascii() and broadcast_id.isdigit()):
        raise ValueError(f"A SendPulse campaign's id is a number, not {broadcast_id!r}.")
    return int(broadcast_id)


def count_recipients(segments: Sequence[str], excluded: Sequence[str]) -> Flow[int]:
    """Refuse: a campaign's status says when it is finished, so that nothing has to be counted.

    :raises Unsupported: always.
    """
    raise Unsupported(SENDPULSE.title, "be waited for by a share of recipients", "Leave until out: its status says it.")


class BroadcastWatch:
    """Looks at one campaign again and again; its status says how far it is.

    :param zone: the account's.
    :raises Unsupported: the goal is one of those that are needed where there is no status.
    """

    keeps_position = False
    """Whether it has to live from look to look."""

    def __init__(self, broadcast_id: str, goal: BroadcastGoal, zone: tzinfo) -> None:
        if goal.until is not None:
            raise Unsupported(
                SENDPULSE.title, f"be waited for until {goal.until!r}", "Leave until out: a campaign's status says it."
            )
        self._id = broadcast_id
        self._zone = zone
        self._warned = goal.warned

    def look(self, now: float) -> Flow[BroadcastLook]:
        """Read the status once.

        :param now: Unix time.
        """
        told = yield from read(self._id, self._zone)
        warning = ""
        if not told.documented and not self._warned:
            self._warned = True
            warning = f"Campaign {self._id} has a status that is not documented, {told.status}: taken for running."
        return BroadcastLook(
            state=told.state, status=told.status, reason=f"its status is {told.status}", warning=warning
        )
