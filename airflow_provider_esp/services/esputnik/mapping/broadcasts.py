"""Broadcasts: between the words both services share and eSputnik's own.

The API documents no status of a broadcast. The words known here are those of the vendor's export of broadcasts to
BigQuery, for the day on which an answer has one.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from airflow_provider_esp.core import models
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import BroadcastOptions, BroadcastState
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.exceptions import ObjectNotFound, Unsupported
from airflow_provider_esp.services.esputnik.api import broadcasts, reading
from airflow_provider_esp.services.esputnik.api.models import Contact, Segment
from airflow_provider_esp.services.esputnik.datetimes import on_account_clock
from airflow_provider_esp.services.esputnik.service import ESPUTNIK


class Status(enum.Enum):
    """The vendor's words for a broadcast, each with its meaning, how far it is, and whether it has been started.

    Sorting them is ours: what waits for a moderator, a confirmation or somebody to go on needs a person.
    """

    IDLE = ("completed", BroadcastState.DONE, True)
    RUNNING = ("being sent", BroadcastState.RUNNING, True)
    PAUSED = ("paused manually", BroadcastState.ACTION_REQUIRED, True)
    SCHEDULED = ("waits for its time", BroadcastState.RUNNING, False)
    UNCONFIRMED = ("waits for manual confirmation", BroadcastState.ACTION_REQUIRED, False)
    CONSIDERATION = ("waits for a moderator", BroadcastState.ACTION_REQUIRED, False)
    BLOCKED = ("blocked by the service", BroadcastState.FAILED, None)

    def __init__(self, words: str, state: BroadcastState, started: bool | None) -> None:
        self.words = words
        self.state = state
        self.started = started


def broadcast(told: broadcasts.Broadcast, zone: tzinfo) -> models.Broadcast:
    """Put the service's view of a broadcast into the words both services share.

    :param zone: the account's, in which the service writes times.
    """
    word = told.status or ""
    status = Status.__members__.get(word.strip().upper())
    return models.Broadcast(
        id=told.broadcast_id,
        title=told.title or "",
        state=BroadcastState.RUNNING if status is None else status.state,
        status=f"{word} ({status.words if status else 'not documented'})" if word else "",
        documented=status is not None or not word,
        started=None if status is None else status.started,
        starts_at=_moment(told.start_date, zone),
        segments=tuple(told.group_ids),
    )


def _moment(written: str | None, zone: tzinfo) -> datetime | None:
    """Read a time as the service writes it; what it writes where there is none is not documented."""
    try:
        moment = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class NewBroadcast:
    """A broadcast whose segments are known by id, ready to be created.

    :param zone: the account's.
    """

    options: BroadcastOptions
    segments: tuple[str, ...]
    excluded: tuple[str, ...]
    zone: tzinfo

    def create(self, title: str) -> Flow[models.Broadcast]:
        """Create it: `POST v1/broadcast`. Sent twice it makes two."""
        options = self.options
        made = yield from broadcasts.create(
            options.message_id or "",
            [int(segment) for segment in self.segments],
            title=title,
            excluded_groups=[int(segment) for segment in self.excluded],
            start_date=None if options.start is None else on_account_clock(options.start, self.zone),
            batch_size=options.batch_size,
            batch_interval_unit=options.batch_interval,
            domain=options.domain,
            app_id=options.app_id,
        )
        return broadcast(made, self.zone)


def prepare(options: BroadcastOptions, zone: tzinfo) -> Flow[NewBroadcast]:
    """Look up the segments that a broadcast names, and refuse what cannot be had.

    :raises ObjectNotFound: the account has no such segment.
    :raises Unsupported: the options ask for what only SendPulse can do.
    :raises ValueError: message or segments are missing, or half a speed is given.
    """
    for asked, feature in (
        (options.subject, "give a broadcast a subject"),
        (options.body, "take a broadcast's text"),
        (options.sender_name or options.sender_email, "give a broadcast a sender"),
        (options.segment_id, "take segment_id"),
        (options.is_test, "make test broadcasts"),
        (options.draft, "make drafts of broadcasts"),
    ):
        if asked:
            raise Unsupported(
                ESPUTNIK.title, feature, "It is part of the message that message_id names, or SendPulse's."
            )
    if not options.message_id:
        raise ValueError("eSputnik's broadcasts send a prepared message: give message_id=.")
    if not options.segments:
        raise ValueError("A broadcast needs at least one segment: give segments=, by name or id.")
    if (options.batch_size is None) != (options.batch_interval is None):
        raise ValueError("batch_size and batch_interval go together.")
    segments, excluded = yield from segment_ids(options.segments, options.segments_exclude)
    return NewBroadcast(options, segments, excluded, zone)


def segment_ids(*lists: Sequence[str]) -> Flow[tuple[tuple[str, ...], ...]]:
    """Find segments that are known by name or id: `GET v1/groups`, as many pages as it takes.

    Where all are ids nothing is looked up, so that a key without the right to read segments does.

    :param lists: names or ids; digits are taken for an id (our choice, as with mailing lists).
    :returns: ids, for each of the lists.
    :raises ObjectNotFound: there is no such segment, or several have the name.
    """
    by_name: defaultdict[str, set[str]] = defaultdict(set)

    def note(segment: Segment) -> None:
        by_name[segment.name.strip()].add(str(segment.id))

    if not all(_is_id(name) for names in lists for name in names):
        yield from for_each(reading.group_pages(), note)
    return tuple(tuple(_one(name.strip(), by_name) for name in names) for names in lists)


def _is_id(name: str) -> bool:
    return name.strip().isascii() and name.strip().isdigit()


def _one(name: str, by_name: dict[str, set[str]]) -> str:
    if _is_id(name):
        return name
    found = by_name.get(name, set())
    if not found:
        raise ObjectNotFound(f"eSputnik has no segment {name!r}: correct the name, or give its id.")
    if len(found) > 1:
        raise ObjectNotFound(f"eSputnik has {len(found)} segments {name!r}: give the id of the one that is meant.")
    return next(iter(found))


def find(marker: str, zone: tzinfo) -> Flow[list[models.Broadcast]]:
    """Find broadcasts by a text in their title: `GET v1/broadcasts`, to the last page."""
    found: dict[str, models.Broadcast] = {}

    def look(told: broadcasts.Broadcast) -> None:
        if marker in (told.title or ""):
            found[told.broadcast_id] = broadcast(told, zone)

    yield from for_each(broadcasts.broadcast_pages(), look)
    return list(found.values())


def read(broadcast_id: str, zone: tzinfo) -> Flow[models.Broadcast]:
    """Read a broadcast: `GET v1/broadcast/{broadcast_id}`."""
    return broadcast((yield from broadcasts.broadcast(broadcast_id)), zone)


def cancel(broadcast_id: str) -> Flow[None]:
    """Cancel a broadcast that has not started: `DELETE v1/broadcast/{broadcast_id}`."""
    yield from broadcasts.cancel(broadcast_id)


def count_recipients(segments: Sequence[str], excluded: Sequence[str]) -> Flow[int]:
    """Count the contacts of segments, each once: `GET v1/group/{id}/contacts`, as many pages as it takes.

    It is no more than an estimate of whom a broadcast reaches: contacts without an address of the message's channel and
    those who have unsubscribed count as well.

    :param segments: names or ids.
    :param excluded: names or ids of segments whose contacts do not count.
    """
    wanted, unwanted = yield from segment_ids(segments, excluded)
    people: set[int] = set()

    def come(contact: Contact) -> None:
        people.add(contact.id)

    def go(contact: Contact) -> None:
        people.discard(contact.id)

    for segment in wanted:
        yield from for_each(reading.group_contact_pages(int(segment)), come)
    for segment in unwanted:
        yield from for_each(reading.group_contact_pages(int(segment)), go)
    return len(people)
