"""`SendPulseHook`: SendPulse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_esp.hooks.esp import EspHook

if TYPE_CHECKING:
    from airflow_provider_esp.connections import SendPulseSettings
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
    from airflow_provider_esp.core.transport.tokens import Token, TokenSource
    from airflow_provider_esp.core.upload.run import UploadTarget
    from airflow_provider_esp.services.sendpulse.mapping.verification import Verification


class SendPulseHook(EspHook):
    """Runs calls of `airflow_provider_esp.services.sendpulse` with a connection of type ``sendpulse``.

    :param esp_conn_id: the Airflow connection.
    """

    conn_type = "sendpulse"
    hook_name = "SendPulse"
    default_conn_name = "sendpulse_default"

    @property
    def service(self) -> Service:
        """The service whose calls this hook runs."""
        from airflow_provider_esp.services.sendpulse.service import SENDPULSE

        return SENDPULSE

    def credential(self, settings: SendPulseSettings) -> Credential:
        """Make client credentials into a token that the whole process shares, or take the static key."""
        from airflow_provider_esp.core.transport.exchange import Credential
        from airflow_provider_esp.core.transport.tokens import TokenSource, shared_tokens

        if settings.api_key:
            return Credential(identity=settings.api_key, header=f"Bearer {settings.api_key}")
        if not settings.client_id:
            return Credential(identity=settings.event_url or "")
        identity = f"{settings.base_url}\n{settings.client_id}\n{settings.client_secret}"

        def tokens() -> TokenSource:
            return TokenSource(lambda stale: self._fetch_token(settings))

        secrets = (settings.client_secret,) if settings.client_secret else ()
        return Credential(identity=settings.client_id, tokens=shared_tokens(identity, tokens), secrets=secrets)

    def _fetch_token(self, settings: SendPulseSettings) -> Token:
        """Exchange client id and secret for a token: `POST oauth/access_token`."""
        from airflow_provider_esp.core.transport.client import Client
        from airflow_provider_esp.core.transport.retry import RetryPolicy
        from airflow_provider_esp.core.transport.tokens import Token
        from airflow_provider_esp.services.sendpulse.api import account

        # A client of its own, on the same rate limits: this runs beside the requests that wait for the token.
        patience = RetryPolicy(patience=60)
        with Client(replace(self._account(settings), retry=patience)) as client:
            asked_at = time.time()
            answer = client.run(account.access_token(settings.client_id or "", settings.client_secret or ""))
        return Token(answer.access_token, issued_at=asked_at, expires_at=asked_at + answer.expires_in)

    def organisation(self) -> Flow[str]:
        """Ask whose account it is: `GET user/info`."""
        from airflow_provider_esp.services.sendpulse.api import account

        user = yield from account.user_info()
        return user.name or str(user.id)

    def upload_target(self, options: UploadOptions) -> Flow[UploadTarget]:
        """Prepare an upload by `POST addressbooks/{id}/emails`."""
        from airflow_provider_esp.services.sendpulse import targets

        return (yield from targets.upload(options))

    def upload_link(self, link: str, options: UploadOptions) -> Flow[Submitted]:
        """Refuse: contacts come in requests only."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.no_links()

    def message_target(self, options: MessageOptions) -> SendTarget[Recipient]:
        """Prepare sending a template by `POST smtp/emails`."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.messages(options, self.settings.sender_name, self.settings.sender_email)

    def message_look_up(self, options: MessageOptions) -> AskSent[Recipient]:
        """Refuse: a message carries no label of the sender's."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.no_look_up()

    def event_target(self, options: EventOptions) -> SendTarget[Event]:
        """Prepare sending events by name, or to the connection's event URL."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.events(options, self.settings.event_url)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Refuse: SendPulse has no imports that could be asked about."""
        from airflow_provider_esp.services.sendpulse import targets

        return targets.no_imports()

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far messages are: `POST smtp/emails/info`."""
        from airflow_provider_esp.services.sendpulse.mapping import contacts as translate

        return translate.deliveries(request_ids)

    def sms_deliveries(self, campaign_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask how far text messages are, phone by phone: `GET sms/campaigns/info/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import contacts as translate

        return translate.sms_deliveries(campaign_ids)

    def notice(self, notice: Notification) -> Flow[list[SendResult]]:
        """Send a few words: `POST smtp/emails` or `POST sms/send`."""
        from airflow_provider_esp.services.sendpulse.mapping import notifications as notices

        return notices.send(notice, self.settings.sender_name, self.settings.sender_email)

    def watch(self, watching: WatchOptions) -> AccountWatcher:
        """Look at the account by its campaigns: `GET campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping.account_events import AccountWatch

        return AccountWatch(watching, self.settings.timezone)

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Read who has unsubscribed: from transactional mail, from mailing lists, and whom the blacklist names."""
        from airflow_provider_esp.services.sendpulse.mapping import unsubscribed

        return unsubscribed.everybody(take, segment)

    def broadcast_target(self, options: BroadcastOptions) -> Flow[BroadcastTarget]:
        """Prepare a campaign by `POST campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts as translate_broadcasts

        settings = self.settings
        return (
            yield from translate_broadcasts.prepare(
                options, settings.timezone, settings.sender_name, settings.sender_email
            )
        )

    def message_pricing(self, options: MessageOptions) -> Flow[Pricing]:
        """Ask what is left of the plan for SMTP: `GET user/balance/detail`."""
        from airflow_provider_esp.services.sendpulse.mapping import pricing

        return pricing.of_message()

    def broadcast_estimate(self, options: BroadcastOptions, target: BroadcastTarget) -> Flow[Estimate]:
        """Ask what a campaign costs: `GET addressbooks/{id}/cost`."""
        from airflow_provider_esp.services.sendpulse.mapping import pricing

        return pricing.of_campaign(target.segments, options.segment_id)

    def find_broadcasts(self, marker: str) -> Flow[list[Broadcast]]:
        """Find campaigns by a text in their name: `GET campaigns`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.find(marker, self.settings.timezone)

    def broadcast(self, broadcast_id: str) -> Flow[Broadcast]:
        """Read how far a campaign is: `GET campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.read(broadcast_id, self.settings.timezone)

    def cancel_broadcast(self, broadcast_id: str) -> Flow[None]:
        """Cancel a campaign that has not begun to send: `DELETE campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.cancel(broadcast_id)

    def broadcast_watch(self, broadcast_id: str, goal: BroadcastGoal) -> BroadcastWatch:
        """Prepare looking at a campaign's status by `GET campaigns/{id}`."""
        from airflow_provider_esp.services.sendpulse.mapping.broadcasts import BroadcastWatch

        return BroadcastWatch(broadcast_id, goal, self.settings.timezone)

    def count_recipients(self, segments: Sequence[str], excluded: Sequence[str] = ()) -> Flow[int]:
        """Refuse: a campaign's status says when it is finished."""
        from airflow_provider_esp.services.sendpulse.mapping import broadcasts as translate_broadcasts

        return translate_broadcasts.count_recipients(segments, excluded)

    def exports(self) -> Exporter:
        """Return what reads rows for files."""
        from airflow_provider_esp.services.sendpulse.mapping.exports import Exports

        return Exports(self.settings.timezone)

    def verification(self) -> Verification:
        """Return what verifies addresses: `POST verifier-service/send-list-to-verify`."""
        from airflow_provider_esp.services.sendpulse.mapping.verification import Verification

        return Verification(self.settings.timezone)
