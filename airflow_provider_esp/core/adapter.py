"""`ServiceAdapter`: what a service can do for operators, sensors, triggers and notifiers, in the words they share.

A service implements what it has. What it does not implement is refused by name, as `Unsupported`, before anything is
sent. An adapter only builds calls and flows: a hook runs them, with the connection's credential and rate limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

from airflow_provider_esp.exceptions import Unsupported

if TYPE_CHECKING:
    from airflow_provider_esp.core.account_events import AccountWatcher, WatchOptions
    from airflow_provider_esp.core.broadcasts.create import BroadcastTarget
    from airflow_provider_esp.core.broadcasts.wait import BroadcastWatch
    from airflow_provider_esp.core.calls import Flow, Pages, Service
    from airflow_provider_esp.core.export.schema import Exporter, VerifiedRow
    from airflow_provider_esp.core.models import (
        Broadcast,
        BroadcastGoal,
        BroadcastOptions,
        Delivery,
        Event,
        EventOptions,
        Import,
        MessageOptions,
        Recipient,
        SendResult,
        Submitted,
        UploadOptions,
    )
    from airflow_provider_esp.core.notification_model import Notification
    from airflow_provider_esp.core.pricing import Estimate, Pricing
    from airflow_provider_esp.core.send.run import SendTarget
    from airflow_provider_esp.core.send.sent_lookup import AskSent
    from airflow_provider_esp.core.sync.membership import Membership, MembershipOptions
    from airflow_provider_esp.core.upload.run import UploadTarget

SettingsT = TypeVar("SettingsT")

Work: TypeAlias = Literal["upload", "imports", "events", "messages", "deliveries", "contacts", "activity", "broadcasts"]
"""What a task may be about to do, for `EspHook.check_access`: ``contacts`` reads them, ``upload`` writes them."""


class Verifier(Protocol):
    """Verifies the addresses of a list: one of its own for a source's rows, or one that is there."""

    def find_list(self, name_or_id: str) -> Flow[str]:
        """Return the id of a list.

        :raises ObjectNotFound: there is none of that name.
        """

    def create_list(self, name: str) -> Flow[str]:
        """Create a list for the addresses of a source, in place of one that an earlier try has left behind."""

    def delete_list(self, list_id: str) -> Flow[None]:
        """Delete the list that was created for a source."""

    def upload(self, list_id: str | None) -> UploadTarget:
        """Return where the addresses of a source go.

        :param list_id: None in a dry run, which creates no list.
        """

    def start(self, list_id: str) -> Flow[None]:
        """Start the verification of a list; one that is under way or needs none is left alone."""

    def progress(self, list_id: str) -> Flow[tuple[int, int]]:
        """Return how many addresses are verified, and how many there are."""

    def results(self, list_id: str, segment: str | None) -> Pages[VerifiedRow]:
        """Read the result of every address.

        :param segment: the list's name in the rows.
        """

    def addresses(self, list_id: str, segment: str | None) -> Pages[VerifiedRow]:
        """Read every address of the list, as one that was not verified.

        :param segment: the list's name in the rows.
        """


class ServiceAdapter(Generic[SettingsT]):
    """The operations of a service; each raises `Unsupported` unless the service implements it.

    Those that return a target, a watch or another object ask nothing yet. A flow asks when it is run.

    :cvar service: what all calls of the service share.
    :param settings: the connection's.
    :param clock: returns the Unix time.
    """

    service: ClassVar[Service]

    def __init__(self, settings: SettingsT, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock

    # -- the account -------------------------------------------------------------------------------------------

    def account_name(self) -> Flow[str]:
        """Ask, with one cheap call, who the account belongs to."""
        raise self._unsupported("tell whose account it is")

    def check_access(self, work: Sequence[Work], conn_id: str) -> None:
        """Refuse work that the settings say the credential does not cover; by default they say nothing of it.

        :param conn_id: the connection that the error names.
        :raises ScopeMissing: naming what is missing.
        """

    def account_watcher(self, options: WatchOptions) -> AccountWatcher:
        """Prepare polling the whole account, for DAGs that are started by what happens there."""
        raise self._unsupported("tell what happens at an account")

    # -- contacts ----------------------------------------------------------------------------------------------

    def upload(self, options: UploadOptions) -> Flow[UploadTarget]:
        """Prepare an upload: look up what the options name, and refuse what the service cannot do."""
        raise self._unsupported("take contacts")

    def import_from_url(self, url: str, options: UploadOptions) -> Flow[Submitted]:
        """Have contacts imported from a file that the service downloads."""
        raise self._unsupported("fetch contacts from a URL", "Upload the rows with UploadContactsOperator.")

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is."""
        raise self._unsupported("tell how far an import is")

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Read who has unsubscribed, as far as the service can tell.

        :param take: called with each address; one may come more than once.
        :param segment: where contacts are about to be added to; None where they are about to be written to.
        """
        raise self._unsupported('list who has unsubscribed (suppress="unsubscribed")')

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Count the contacts of segments, each once, without those of the excluded ones."""
        raise self._unsupported("count the contacts of segments")

    def membership(self, options: MembershipOptions) -> Membership:
        """Return what takes people out of where an upload puts them."""
        raise self._unsupported("take people out of where an upload has put them")

    def exporter(self) -> Exporter:
        """Return what reads rows for files: activity, contacts, broadcasts."""
        raise self._unsupported("hand out rows for a file")

    def verifier(self) -> Verifier:
        """Return what verifies addresses."""
        raise self._unsupported("verify addresses", "SendPulse can: its result is a file that any suppress= takes.")

    # -- messages and events -----------------------------------------------------------------------------------

    def send_messages(self, options: MessageOptions) -> SendTarget[Recipient]:
        """Prepare sending a message to many."""
        raise self._unsupported("send messages")

    def sent_lookup(self, options: MessageOptions) -> AskSent[Recipient]:
        """Prepare asking which messages went out, for a send whose answer was lost."""
        raise self._unsupported('tell which messages went out (on_unknown="lookup")')

    def send_events(self, options: EventOptions) -> SendTarget[Event]:
        """Prepare sending events."""
        raise self._unsupported("take events")

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far messages are, by the ids that their sending returned."""
        raise self._unsupported("tell how far messages are")

    def sms_deliveries(self, campaign_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far text messages are whose sending returned one id for all, phone by phone under that id."""
        raise self._unsupported("look SMS campaigns up", "Give the messages' own ids as request_ids.")

    def message_url(self, message_id: str) -> Flow[str]:
        """Ask for the address at which a prepared message can be looked at."""
        raise self._unsupported("tell the address of a message")

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what is known of a message's price, and of the account's money."""
        raise self._unsupported("tell what a send costs (check_balance)")

    def send_notification(self, notification: Notification) -> Flow[list[SendResult]]:
        """Send a few words to a few people by e-mail or SMS; never to be repeated by itself."""
        raise self._unsupported("send a message that is not prepared")

    # -- broadcasts --------------------------------------------------------------------------------------------

    def prepare_broadcast(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a broadcast: look up what the options name, and refuse what the service cannot do."""
        raise self._unsupported("do broadcasts")

    def estimate_broadcast(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Ask what a broadcast costs, and whether the account has it."""
        raise self._unsupported("tell what a send costs (check_balance)")

    def get_broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Ask how far a broadcast is."""
        raise self._unsupported("do broadcasts")

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find broadcasts by a text in their title, in the whole list."""
        raise self._unsupported("do broadcasts")

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a broadcast that has not started."""
        raise self._unsupported("do broadcasts")

    def broadcast_watcher(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare polling a broadcast; refuse a goal that the service cannot tell anything about."""
        raise self._unsupported("do broadcasts")

    # -- for those that implement it ---------------------------------------------------------------------------

    def _unsupported(self, feature: str, instead: str = "") -> Unsupported:
        """Return the error that names the service and what it cannot do.

        :param feature: goes on after "<service> cannot".
        :param instead: a sentence that says what can be done.
        """
        return Unsupported(self.service.title, feature, instead)

    def _today(self, zone: tzinfo) -> date:
        """Return the date in the account's time zone."""
        return datetime.fromtimestamp(self._clock(), UTC).astimezone(zone).date()
