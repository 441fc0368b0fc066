"""`EsputnikHook`: eSputnik, also sold as Yespo."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_esp.hooks.esp import EspHook, Work

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_esp.connections import EsputnikSettings
    from airflow_provider_esp.core.account_events import AccountWatcher, WatchOptions
    from airflow_provider_esp.core.broadcasts.create import BroadcastTarget
    from airflow_provider_esp.core.broadcasts.wait import BroadcastWatch
    from airflow_provider_esp.core.calls import Flow, Service
    from airflow_provider_esp.core.export.schema import Exporter
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
    from airflow_provider_esp.core.transport.exchange import Credential
    from airflow_provider_esp.core.upload.run import UploadTarget


class EsputnikHook(EspHook):
    """Runs calls of `airflow_provider_esp.services.esputnik` with a connection of type ``esputnik``.

    :param esp_conn_id: the Airflow connection.
    """

    conn_type = "esputnik"
    hook_name = "eSputnik (Yespo)"
    default_conn_name = "esputnik_default"

    @property
    def service(self) -> Service:
        """The service whose calls this hook runs."""
        from airflow_provider_esp.services.esputnik.service import ESPUTNIK

        return ESPUTNIK

    def credential(self, settings: EsputnikSettings) -> Credential:
        """Make the API key into HTTP Basic, or take the tokens that somebody consented to.

        In HTTP Basic the user's name means nothing and may not be empty.
        """
        from airflow_provider_esp.core.transport.exchange import Credential

        if settings.oauth is not None:
            from airflow_provider_esp.hooks import credentials as credential

            return credential.of(settings.oauth, settings, self.esp_conn_id, self.clock)
        pair = base64.b64encode(f"{settings.user}:{settings.api_key}".encode()).decode()
        return Credential(identity=settings.api_key or "", header=f"Basic {pair}")

    def check_rights(self, work: Sequence[Work]) -> None:
        """Compare the method groups of the work with what the connection's application may do.

        An API key has rights as well, but a connection does not say which.
        """
        if self.settings.oauth is None:
            return
        from airflow_provider_esp.hooks import credentials as credential
        from airflow_provider_esp.services.esputnik.scopes import MethodGroup

        groups = {
            "upload": MethodGroup.UPDATING,
            "imports": MethodGroup.UPDATING,
            "events": MethodGroup.EVENTS,
            "messages": MethodGroup.MESSAGES,
            "deliveries": MethodGroup.MESSAGES,
            "contacts": MethodGroup.READING,
            "activity": MethodGroup.ACTIVITY,
            "broadcasts": MethodGroup.MESSAGES,
        }
        needed = [groups[name] for name in work]
        credential.check_rights(needed, self.settings.oauth.right, self.esp_conn_id, self.service.title)

    def organisation(self) -> Flow[str]:
        """Ask for the organisation's name: `GET v1/account/info`."""
        from airflow_provider_esp.services.esputnik.api import general

        return (yield from general.account_info()).organisation_name

    def upload_target(self, options: UploadOptions) -> Flow[UploadTarget]:
        """Prepare an upload by `POST v1/contacts`."""
        from airflow_provider_esp.services.esputnik import targets

        return (yield from targets.upload(options))

    def upload_link(self, link: str, options: UploadOptions) -> Flow[Submitted]:
        """Have contacts imported from a CSV file by `POST v1/contacts/upload`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.upload_link(link, options)

    def message_target(self, options: MessageOptions) -> SendTarget[Recipient]:
        """Prepare sending a prepared message by `POST v1/message/{id}/smartsend`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.messages(options)

    def message_look_up(self, options: MessageOptions) -> AskSent[Recipient]:
        """Prepare looking messages up by their label: `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping import sent_lookup as look_up

        self.check_rights(["activity"])
        return look_up.messages(options, self.settings.timezone)

    def event_target(self, options: EventOptions) -> SendTarget[Event]:
        """Prepare sending events by `POST v2/event`."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.events(options)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is: `GET v1/importstatus/{sessionId}`."""
        from airflow_provider_esp.services.esputnik.mapping import contacts as translate

        return translate.import_state(import_id)

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far messages are: `GET v1/message/status`."""
        from airflow_provider_esp.services.esputnik.mapping import messages as translate_messages

        return translate_messages.deliveries(request_ids)

    def message_page(self, message_id: str) -> Flow[str]:
        """Ask where an e-mail can be looked at: `GET v1/messages/email/{id}/viewLink`, 500 times an hour at most."""
        from airflow_provider_esp.services.esputnik.api import templates

        return (yield from templates.email_link(message_id)).link

    def notice(self, notice: Notification) -> Flow[list[SendResult]]:
        """Send a few words: `POST v1/message/email` or `POST v1/message/sms`."""
        from airflow_provider_esp.services.esputnik.mapping import notifications as notices

        return notices.send(notice)

    def watch(self, watching: WatchOptions) -> AccountWatcher:
        """Look at the account by its contacts' activity: `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping.account_events import AccountWatch

        return AccountWatch(watching, self.settings.timezone)

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Refuse: eSputnik has methods that add to the unsubscribed and take off them, and none that lists them."""
        from airflow_provider_esp.services.esputnik import targets

        return targets.no_unsubscribed()

    def broadcast_target(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a broadcast by `POST v1/broadcast`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts as translate_broadcasts

        return (yield from translate_broadcasts.prepare(options, self.settings.timezone))

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what text messages cost, and what the account has: `GET v1/balance` and its history."""
        from airflow_provider_esp.services.esputnik.mapping import pricing

        return pricing.of_message(options.message_id, self._today())

    def broadcast_estimate(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Count the contacts of the segments, and ask what a text message costs each of them at least."""
        from airflow_provider_esp.core.pricing import estimate, filled, sms_parts
        from airflow_provider_esp.services.esputnik.mapping import pricing

        told = yield from pricing.of_message(options.message_id or "", self._today())
        recipients = yield from self.count_recipients(target.segments, target.excluded)
        return estimate(told, recipients, recipients * sms_parts(filled(told.text or "", {})))

    def _today(self) -> date:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.clock(), UTC).astimezone(self.settings.timezone).date()

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find broadcasts by a text in their title: `GET v1/broadcasts`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.find(marker, self.settings.timezone)

    def broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Read a broadcast: `GET v1/broadcast/{broadcast_id}`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.read(broadcast_id, self.settings.timezone)

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a broadcast that has not started: `DELETE v1/broadcast/{broadcast_id}`."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.cancel(broadcast_id)

    def broadcast_watch(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare looking at a broadcast by `GET v2/contacts/activity`."""
        from airflow_provider_esp.services.esputnik.mapping.broadcast_progress import BroadcastWatch

        return BroadcastWatch(broadcast_id, goal, self.settings.timezone)

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Count the contacts of segments: `GET v1/group/{id}/contacts`, page by page."""
        from airflow_provider_esp.services.esputnik.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.count_recipients(segments, excluded)

    def exports(self) -> Exporter:
        """Return what reads rows for files."""
        from airflow_provider_esp.services.esputnik.mapping.exports import Exports

        return Exports(self.settings.timezone)
