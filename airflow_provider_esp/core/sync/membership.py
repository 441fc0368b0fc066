"""Who is in a sync's target, and how people are taken out of it: what a service has to say for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from airflow_provider_esp.core.calls import Flow, Pages

OnLeave = Literal["detach", "delete", "unsubscribe"]


def name_of(field_name: str, value: str) -> str:
    """Return a person's name at a service: the field, and its value so that two spellings of it are the same."""
    if field_name == "email":
        return f"email:{value.strip().lower()}"
    if field_name == "phone":
        return f"phone:{''.join(filter(str.isdigit, value))}"
    return f"{field_name}:{value}"


class MembershipOptions(msgspec.Struct, frozen=True):
    """What an author may ask of a target whose members come and go; each service says which of it it cannot do.

    :ivar segments: names of segments (SendPulse: the one mailing list, by name or id).
    :ivar dedupe_on: neutral field by which contacts are matched; None for the service's usual one.
    :ivar on_leave: what becomes of who has left: ``detach`` from the target alone, ``delete`` the contact, or
        ``unsubscribe`` the address.
    """

    segments: tuple[str, ...] = ()
    dedupe_on: str | None = None
    on_leave: OnLeave = "detach"


class Member(msgspec.Struct, frozen=True):
    """Somebody who is in the target.

    :ivar id: the service's.
    :ivar names: by which the person is known there, as `name_of` spells them.
    """

    id: str
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return "<Member>"


class Person(msgspec.Struct, frozen=True):
    """Somebody who is to be taken out.

    :ivar name: as `name_of` spells it.
    :ivar members: who the target's list says that this is; empty where it was not asked.
    """

    name: str
    members: tuple[Member, ...] = ()

    def __repr__(self) -> str:
        return "<Person>"


class Membership(Protocol):
    """Takes people out of a target."""

    @property
    def handles(self) -> Sequence[str]:
        """The fields by which somebody is taken out, the best first."""

    @property
    def batch_size(self) -> int:
        """People in a request at the most."""

    def is_looked_up(self, name: str) -> bool:
        """Check whether somebody of this name has to be found in the target's list first."""

    def is_there(self) -> Flow[bool]:
        """Check whether there is such a target."""

    def members(self) -> Pages[Member]:
        """Read who is in the target."""

    def take_out(self, people: Sequence[Person]) -> Flow[None]:
        """Take people out; who is not there any more is no mistake.

        :param people: from one to `batch_size`.
        """
