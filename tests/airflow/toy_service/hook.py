"""`ToyHook`: the toy's half of what `EspHook` promises; each method says what it cannot do by `Unsupported`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgspec

from airflow_provider_esp.connections import Settings
from airflow_provider_esp.core.calls import Flow, Service
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.models import (
    Delivery,
    DeliveryState,
    Event,
    EventOptions,
    Import,
    ImportState,
    MessageOptions,
    Recipient,
    SendResult,
    Submitted,
    UploadOptions,
)
from airflow_provider_esp.core.transport.exchange import Credential
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.hooks.esp import EspHook

from . import calls

_STATES = {"queued": DeliveryState.PENDING, "arrived": DeliveryState.DELIVERED, "lost": DeliveryState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings(Settings):
    """A toy connection; the key does not show in a `repr`."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """Contacts go to ``PUT contacts``, a hundred at a time, known by e-mail."""

    batch_size: int = 100
    identity: tuple[str, ...] = ("email",)
    names: tuple[str, ...] = ("email",)
    rules: Mapping[str, FieldRule] = field(default_factory=dict)

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Keep all together: a contact keeps what is not named."""
        return [range(len(contacts))] if len(contacts) else []

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Hand contacts over."""
        people = [
            {name: value for name, value in msgspec.structs.asdict(one).items() if value is not msgspec.UNSET}
            for one in contacts.contacts()
        ]
        return Submitted((yield from calls.put_contacts(people)).import_id)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is."""
        return import_state(import_id)


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages go to ``POST messages/{id}/send``."""

    message_id: str
    batch_size: int = 100

    def send(self, items: Sequence[Recipient]) -> Flow[list[SendResult]]:
        """Send to some people."""
        people = [{"email": one.locator, "data": one.data} for one in items]
        told = yield from calls.send(self.message_id, people)
        return [SendResult(bool(one), one or None, "" if one else "no such mailbox") for one in told.ids]


@dataclass(frozen=True, slots=True)
class Events:
    """Events go to ``POST events``, one in a request."""

    batch_size: int = 1

    def send(self, items: Sequence[Event]) -> Flow[list[SendResult]]:
        """Tell of one event."""
        yield from calls.event(items[0].name, items[0].email or "", items[0].params)
        return [SendResult(accepted=True)]


def import_state(import_id: str) -> Flow[Import]:
    """Ask how far an import is, and whom it wrote."""
    told = yield from calls.import_status(import_id)
    state = ImportState.DONE if told.finished else ImportState.RUNNING
    return Import(import_id, state, tuple(told.written) if told.finished else None)


class ToyHook(EspHook):
    """Runs the toy's calls with a connection of type ``toy``."""

    conn_type = "toy"
    hook_name = "Toy"
    default_conn_name = "toy_default"

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the form's own fields, as Airflow before 3.2 wants them: there are none."""
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Say what the form shows, as Airflow before 3.2 wants it."""
        return {"hidden_fields": ["login", "port", "schema"], "relabeling": {"password": "Key"}, "placeholders": {}}

    def read_settings(self, connection: Any) -> ToySettings:
        """Take address and key from the connection."""
        if not connection.password:
            raise ValueError("Connection of type toy: put the key into the password field.")
        return ToySettings(base_url=connection.host or calls.TOY.base_url, key=connection.password)

    @property
    def service(self) -> Service:
        """The service whose calls this hook runs."""
        return calls.TOY

    def credential(self, settings: ToySettings) -> Credential:
        """Send the key as a bearer token."""
        return Credential(identity=settings.key, header=f"Bearer {settings.key}")

    def organisation(self) -> Flow[str]:
        """Ask whose account it is."""
        return str((yield from calls.owner()).name)

    def upload_target(self, options: UploadOptions) -> Flow[Upload]:
        """Prepare an upload; a flow, because other services look things up first."""
        if options.segments or options.segments_exclude:
            self._refuse("put contacts into segments")
        yield from ()
        return Upload(options.batch_size or 100)

    def upload_link(self, link: str, options: UploadOptions) -> Flow[Submitted]:
        """Refuse: it fetches no files."""
        self._refuse("fetch a file of contacts")

    def message_target(self, options: MessageOptions) -> Messages:
        """Prepare sending a message."""
        if options.external_request_id is not None:
            self._refuse("label a message (external_request_id)")
        return Messages(options.message_id)

    def message_look_up(self, options: MessageOptions) -> Any:
        """Refuse: nobody can ask which messages went out."""
        self._refuse("tell which messages went out")

    def event_target(self, options: EventOptions) -> Events:
        """Prepare sending events."""
        return Events()

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is."""
        return import_state(import_id)

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        """Ask where messages are."""
        told = yield from calls.statuses(list(request_ids))
        return [Delivery(one.id, _STATES[one.status], one.status) for one in told]

    def unsubscribed(self, take: Callable[[str], object], segment: str | None = None) -> Flow[None]:
        """Refuse: it keeps no list of them."""
        self._refuse("list who has unsubscribed")

    def _refuse(self, feature: str) -> NoReturn:
        raise Unsupported(self.service.title, feature)
