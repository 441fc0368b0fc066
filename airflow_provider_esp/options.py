"""What only one of the services can do: ``options=`` of an operator that serves both.

These are written in a DAG file. What a task, a mapping or a run decides is an argument of the operator itself, because
Airflow sees no dependency inside of an object, and ``expand()`` does not reach there.

They are not frozen, since Airflow renders templates by assigning to them; an operator hands out copies, so that one
object may be the options of many tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

__all__ = [
    "EsputnikBroadcast",
    "EsputnikEvent",
    "EsputnikUpload",
    "SendPulseCampaign",
    "SendPulseEvent",
    "SendPulseUpload",
]


@dataclass(kw_only=True, repr=False)
class ServiceOptions:
    """What the options of all operators have in common.

    :cvar service: short name of the service whose they are.
    :cvar template_fields: those that Airflow renders.
    :cvar masked: those that Airflow must not store or show.
    :raises ValueError: a value is what another task returns.
    """

    service: ClassVar[str] = ""
    template_fields: ClassVar[Sequence[str]] = ()
    masked: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name in self.values():
            if hasattr(getattr(self, name), "resolve"):
                raise ValueError(
                    f"{type(self).__name__}({name}=) cannot be what another task returns, because Airflow sees no "
                    "dependency inside of options: write the value, or where it is templated "
                    "\"{{ ti.xcom_pull(task_ids='...') }}\" and the order of the two tasks."
                )

    def values(self) -> dict[str, Any]:
        """Return the options by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def given(self) -> dict[str, Any]:
        """Return those that are not as they are without being named."""
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in self.values().items() if value != defaults[name]}

    def __repr__(self) -> str:
        # Airflow stores this in its database and shows it.
        shown = (f"{name}={'***' if name in self.masked else repr(value)}" for name, value in self.given().items())
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(kw_only=True, repr=False)
class EsputnikBroadcast(ServiceOptions):
    """What only eSputnik's broadcasts have, for `CreateBroadcastOperator`.

    :param batch_size: messages per `batch_interval`, to send slowly.
    :param batch_interval: ``MINUTE``, ``HOUR``, ``DAY`` or ``MONTH``.
    :param domain: of a web push broadcast. Templated.
    :param app_id: of a mobile push or Telegram broadcast. Templated.
    """

    batch_size: int | None = None
    batch_interval: Literal["MINUTE", "HOUR", "DAY", "MONTH"] | None = None
    domain: str | None = None
    app_id: str | None = None

    service: ClassVar[str] = "esputnik"
    template_fields: ClassVar[Sequence[str]] = ("domain", "app_id")


@dataclass(kw_only=True, repr=False)
class SendPulseCampaign(ServiceOptions):
    """What only SendPulse's campaigns have, for `CreateBroadcastOperator`.

    :param sender_name: in place of the connection's. Templated.
    :param sender_email: in place of the connection's. Templated.
    :param segment_id: a segment, in place of mailing lists.
    :param is_test: to the account's owner alone.
    :param draft: somebody launches it by hand.
    """

    sender_name: str | None = None
    sender_email: str | None = None
    segment_id: int | None = None
    is_test: bool = False
    draft: bool = False

    service: ClassVar[str] = "sendpulse"
    template_fields: ClassVar[Sequence[str]] = ("sender_name", "sender_email")
    masked: ClassVar[frozenset[str]] = frozenset({"sender_name", "sender_email"})


@dataclass(kw_only=True, repr=False)
class EsputnikUpload(ServiceOptions):
    """What only eSputnik does with uploaded contacts, for `UploadContactsOperator` and `SyncContactsOperator`.

    :param restore_deleted: bring deleted contacts back; otherwise the service skips them.
    :param event_key_for_new_contacts: event type generated for each new contact, which starts workflows. Templated.
    """

    restore_deleted: bool = False
    event_key_for_new_contacts: str | None = None

    service: ClassVar[str] = "esputnik"
    template_fields: ClassVar[Sequence[str]] = ("event_key_for_new_contacts",)


@dataclass(kw_only=True, repr=False)
class SendPulseUpload(ServiceOptions):
    """What only SendPulse does with uploaded contacts, for `UploadContactsOperator` and `SyncContactsOperator`.

    :param confirmation: an active sender whose address mails each contact a request to confirm. Templated.
    """

    confirmation: str | None = None

    service: ClassVar[str] = "sendpulse"
    template_fields: ClassVar[Sequence[str]] = ("confirmation",)
    masked: ClassVar[frozenset[str]] = frozenset({"confirmation"})


@dataclass(kw_only=True, repr=False)
class EsputnikEvent(ServiceOptions):
    """What only eSputnik's events have, for `SendEventOperator` and `SendEventsOperator`.

    :param version: of the method: 2, or 1 for the older one.
    """

    version: Literal[1, 2] = 2

    service: ClassVar[str] = "esputnik"


@dataclass(kw_only=True, repr=False)
class SendPulseEvent(ServiceOptions):
    """What only SendPulse's events have, for `SendEventOperator` and `SendEventsOperator`.

    :param automation_id: the one flow that is meant. Templated.
    :param to_event_url: use the connection's event URL, without authorisation.
    :param form: send form data to the event URL.
    """

    automation_id: int | str | None = None
    to_event_url: bool = False
    form: bool = False

    service: ClassVar[str] = "sendpulse"
    template_fields: ClassVar[Sequence[str]] = ("automation_id",)
