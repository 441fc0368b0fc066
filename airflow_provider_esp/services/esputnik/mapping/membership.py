"""Who is in segments, and taking people out of them: `Membership` of a sync at eSputnik."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from airflow_provider_esp.core.calls import Flow, Pages
from airflow_provider_esp.core.paging import for_each, map_pages
from airflow_provider_esp.core.sync.membership import Member, MembershipOptions, Person, name_of
from airflow_provider_esp.exceptions import NotFound, ObjectNotFound, Unsupported
from airflow_provider_esp.services.esputnik.api import contacts, reading
from airflow_provider_esp.services.esputnik.api.models import Contact
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

_T = TypeVar("_T")

MOST_DELETED: Final = 50
"""People whose contacts are deleted, each by a request of its own, before the work is written down."""
_ALSO: Final = {
    None: ("email",),
    "email": ("email",),
    "phone": ("phone",),
    "email_or_phone": ("email", "phone"),
    "external_id": (),
}
_CHANNELS: Final = {"email": "email", "sms": "phone"}


@dataclass
class SegmentMembership:
    """Takes people out of static segments.

    Who is known by an external id is detached by it. Whoever else is found in the segment's list, which is read once.

    :param options: what the author asks for.
    :raises Unsupported: people could not be found again.
    """

    options: MembershipOptions
    _ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.options.dedupe_on not in _ALSO:
            raise Unsupported(
                ESPUTNIK.title,
                f"find contacts again that are matched by {self.options.dedupe_on}, to take them out of a segment",
                "Match them by email, phone or external_id.",
            )

    @property
    def handles(self) -> tuple[str, ...]:
        """The fields by which somebody is taken out: with an external id, that is what the service looks at first."""
        return ("external_id", *_ALSO[self.options.dedupe_on])

    @property
    def batch_size(self) -> int:
        """People in a request."""
        return MOST_DELETED if self.options.on_leave == "delete" else contacts.MOST_IDS

    def is_looked_up(self, name: str) -> bool:
        """Check whether somebody of this name has to be found in the segment's list first."""
        return not name.startswith("external_id:") or self.options.on_leave == "unsubscribe"

    def is_there(self) -> Flow[bool]:
        """Check whether there are such segments."""
        try:
            yield from self._segments()
        except ObjectNotFound:
            return False
        return True

    def members(self) -> Pages[Member]:
        """Read who is in the segments: `GET v1/group/{id}/contacts`."""
        for segment in (yield from self._segments()):
            yield from map_pages(reading.group_contact_pages(segment), _member)

    def take_out(self, people: Sequence[Person]) -> Flow[None]:
        """Take people out: `POST v1/group/{id}/contacts/detach`, and what `on_leave` asks for besides."""
        found = list(dict.fromkeys(member for person in people for member in person.members))
        external = [person.name.partition(":")[2] for person in people if not self.is_looked_up(person.name)]
        if self.options.on_leave == "delete":
            yield from _delete(found, external)
            return
        if self.options.on_leave == "unsubscribe":
            emails = [name.partition(":")[2] for member in found for name in member.names if name.startswith("email:")]
            if emails:
                yield from contacts.unsubscribe_emails(emails)
        for segment in (yield from self._segments()):
            for some in _parts([int(member.id) for member in found]):
                yield from contacts.detach(segment, contact_ids=some)
            for ids in _parts(external):
                yield from contacts.detach(segment, external_customer_ids=ids)

    def _segments(self) -> Flow[list[int]]:
        """Look up the segments' ids: `GET v1/groups`."""
        if not self._ids:
            there: dict[str, int] = {}
            yield from for_each(reading.group_pages(), lambda one: there.update({one.name: one.id}))
            missing = [name for name in self.options.segments if name not in there]
            if missing:
                raise ObjectNotFound(f"eSputnik has no segment {', '.join(map(repr, missing))}.")
            self._ids = {name: there[name] for name in self.options.segments}
        return list(self._ids.values())


def _member(contact: Contact) -> Member:
    names = [
        name_of(_CHANNELS[channel.type], channel.value)
        for channel in contact.channels
        if channel.type in _CHANNELS and channel.value
    ]
    if contact.external_customer_id:
        names.append(name_of("external_id", contact.external_customer_id))
    return Member(str(contact.id), tuple(names))


def _delete(found: Sequence[Member], external: Sequence[str]) -> Flow[None]:
    calls = [*(contacts.delete(int(member.id)) for member in found), *map(contacts.delete_by_external_id, external)]
    for call in calls:
        try:
            yield from call
        except NotFound:  # somebody has deleted it already
            continue


def _parts(ids: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (ids[at : at + contacts.MOST_IDS] for at in range(0, len(ids), contacts.MOST_IDS))
