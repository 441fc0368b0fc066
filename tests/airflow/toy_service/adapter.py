"""`ToyAdapter`: what the toy can do; what is not here is refused as `Unsupported`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_esp.core import models
from airflow_provider_esp.core.adapter import ServiceAdapter
from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule

from .api import TOY, call

STATES = {"queued": models.DeliveryState.PENDING, "arrived": models.DeliveryState.DELIVERED}


@dataclass(frozen=True)
class Upload:
    import_state: Callable[[str], Flow[models.Import]]
    batch_size: int
    identity: Sequence[str] = ("email",)
    names: Sequence[str] = ("email",)
    rules: Mapping[str, FieldRule] = field(default_factory=dict)

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        return [range(len(contacts))] if len(contacts) else []

    def submit(self, contacts: ContactColumns) -> Flow[models.Submitted]:
        return models.Submitted((yield from call("PUT", "contacts", models.Import, body=contacts.contacts())).id)


@dataclass(frozen=True)
class Messages:
    message_id: str
    batch_size: int = 100

    def send(self, items: Sequence[models.Recipient]) -> Flow[list[models.SendResult]]:
        ids = yield from call("POST", "messages/{id}/send", list[str], self.message_id, body=items, repeatable=False)
        return [models.SendResult(accepted=True, request_id=id) for id in ids]


class Events:
    batch_size = 1

    def send(self, items: Sequence[models.Event]) -> Flow[list[models.SendResult]]:
        yield from call("POST", "events", type(None), body=items[0], repeatable=False)
        return [models.SendResult(accepted=True)]


class ToyAdapter(ServiceAdapter[object]):
    service = TOY

    def account_name(self) -> Flow[str]:
        return (yield from call("GET", "owner", str))

    def upload(self, options: models.UploadOptions) -> Flow[Upload]:
        if options.segments or options.segments_exclude:
            raise self._unsupported("put contacts into segments")
        yield from ()  # a service that has segments looks them up here
        return Upload(self.import_state, options.batch_size or 100)

    def import_state(self, import_id: str) -> Flow[models.Import]:
        return (yield from call("GET", "imports/{id}", models.Import, import_id))

    def send_messages(self, options: models.MessageOptions) -> Messages:
        if options.external_request_id is not None:
            raise self._unsupported("label a message (external_request_id)")
        return Messages(options.message_id)

    def send_events(self, options: models.EventOptions) -> Events:
        return Events()

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[models.Delivery]]:
        found = yield from call("POST", "status", dict[str, str], body=request_ids)
        return [models.Delivery(id, STATES[status], status) for id, status in found.items()]
