"""Who is in a mailing list, and taking people out of it: `Membership` of a sync at SendPulse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.core.paging import map_pages
from airflow_provider_esp.core.sync.membership import Member, MembershipOptions, Person, name_of
from airflow_provider_esp.exceptions import InvalidRequest, NotFound, ObjectNotFound
from airflow_provider_esp.services.sendpulse.api import addressbooks, emails
from airflow_provider_esp.services.sendpulse.limits import EMAILS_CHANGED
from airflow_provider_esp.services.sendpulse.mapping import contacts as contact_mapping

_NOBODY_THERE: Final = ("No emails", "Active emails not found")
"""What the service says where none of the addresses is in the list, or none of them is subscribed to it."""


@dataclass
class ListMembership:
    """Takes people out of a mailing list, by their addresses.

    :param options: what the author asks for.
    :raises ValueError: not one mailing list is named.
    """

    options: MembershipOptions
    handles: tuple[str, ...] = ("email",)
    batch_size: int = EMAILS_CHANGED
    _book: int | None = None

    def __post_init__(self) -> None:
        if len(self.options.segments) != 1:
            raise ValueError(
                "SendPulse takes contacts into one mailing list: give its name or id as the one of target=."
            )

    def is_looked_up(self, name: str) -> bool:
        """Check whether somebody has to be found in the list first: nobody."""
        return False

    def is_there(self) -> Flow[bool]:
        """Check whether there is such a list: `GET addressbooks/{id}`."""
        try:
            yield from addressbooks.book((yield from self._number()))
        except (ObjectNotFound, NotFound):
            return False
        return True

    def members(self) -> Pages[Member]:
        """Read who is in the list: `GET addressbooks/{id}/emails`."""
        yield from map_pages(
            addressbooks.all_emails((yield from self._number())),
            lambda contact: Member(contact.email, (name_of("email", contact.email),)),
        )

    def take_out(self, people: Sequence[Person]) -> Flow[None]:
        """Take people out: `DELETE addressbooks/{id}/emails`, or what `on_leave` asks for instead.

        Whoever is unsubscribed stays in the list as such, so that nobody can add them again by mistake.
        """
        addresses = [person.name.partition(":")[2] for person in people]
        if self.options.on_leave == "delete":
            for address in addresses:
                yield from _unless_gone(emails.delete, address)
            return
        change = addressbooks.unsubscribe if self.options.on_leave == "unsubscribe" else addressbooks.emails_delete
        yield from _unless_gone(change, (yield from self._number()), addresses)

    def _number(self) -> Flow[int]:
        if self._book is None:
            self._book = yield from contact_mapping.book_id(self.options.segments[0])
        return self._book


def _unless_gone(change: Callable[..., Call[Any]], *arguments: Any) -> Flow[None]:
    try:
        yield from change(*arguments)
    except NotFound:
        return
    except InvalidRequest as refusal:
        if refusal.message.rstrip(".") not in _NOBODY_THERE:
            raise
