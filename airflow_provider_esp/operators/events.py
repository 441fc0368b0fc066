"""`SendEventOperator` and `SendEventsOperator`: tell a service what a person did, or many did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._options import OptionsAttribute, options_for
from airflow_provider_esp.operators._outcome_tables import main_reasons
from airflow_provider_esp.operators._send_keys import leaving_out
from airflow_provider_esp.operators._sends import AtMostOnceOperator, SendOperator
from airflow_provider_esp.operators._service_arguments import refuse_mixture
from airflow_provider_esp.options import EsputnikEvent, SendPulseEvent
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.masking import MaskedAttribute, unmask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.models import Event
    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.send.run import SendTarget
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.values import ValueRules
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import AtMostOnceArguments, EventArguments, EventsArguments


class EventOperator(AtMostOnceOperator):
    """What the two operators of events share: which event it is, and which way it goes.

    :param event: the event's name: eSputnik's ``eventTypeKey`` (made if it does not exist), SendPulse's event name
        (of no meaning with ``to_event_url``). Templated.
    :param options: what only one service has: `EsputnikEvent` (the method's version) or `SendPulseEvent` (one flow, the
        event URL, form data). Templated, as far as they say so.
    """

    template_fields: Sequence[str] = (*AtMostOnceOperator.template_fields, "event", "options")
    options: Any = OptionsAttribute(EsputnikEvent, SendPulseEvent)

    def __init__(
        self,
        *,
        event: str,
        options: EsputnikEvent | SendPulseEvent | None = None,
        **kwargs: Unpack[AtMostOnceArguments],
    ) -> None:
        super().__init__(**kwargs)
        if self.on_unknown == "lookup":
            _refuse_look_up()
        self.event = event
        self.options = options

    def event_target(self, context: Context, hook: EspHook) -> SendTarget[Event]:
        """Ensure that events may be sent now, and return where they go.

        :raises Unsupported: ``on_unknown`` is to look events up, or the service cannot do what the arguments ask.
        """
        from msgspec.structs import replace

        from airflow_provider_esp.core.models import EventOptions

        if self.policy_for_unknown == "lookup":
            _refuse_look_up()
        options = EventOptions(**options_for(hook, self.options))
        if not options.to_event_url:  # which takes no credential
            hook.check_access("events")
        self.check_send_time(context, hook)
        self.push_links(context, hook, "event", self.event)
        self.values = self.value_rules(hook)
        automation_id = None if options.automation_id is None else int(options.automation_id)
        return hook.adapter.send_events(replace(options, automation_id=automation_id))

    def refuse_mixture(self, **key: Any) -> None:
        """Refuse arguments of both services.

        :param key: the argument, of one of the two operators, that is eSputnik's alone.
        :raises ValueError: the author gave some of both.
        """
        refuse_mixture(self.options, esputnik={name: value is not None for name, value in key.items()}, sendpulse={})


class SendEventOperator(EventOperator):
    """Send one event. For one event of each row of a source there is `SendEventsOperator`.

    An event can start messages, so it is sent at most once: see `AtMostOnceOperator`. At eSputnik this is
    `POST v2/event` (or v1); at SendPulse `POST events/name/{event_name}`, or with ``to_event_url`` the
    connection's event URL, which needs no other credential, as JSON or, with ``form``, as form data.

    :param esp_conn_id: the Airflow connection. Templated.
    :param event: the event's name: eSputnik's ``eventTypeKey`` (made if it does not exist), SendPulse's event name
        (of no meaning with ``to_event_url``). Templated.
    :param contact_email: whose event it is. Templated.
    :param contact_phone: whose event it is. Templated.
    :param key: eSputnik's ``keyValue``. Templated.
    :param data: the event's parameters. Templated.
    :param options: what only one service has: `EsputnikEvent` (the method's version) or `SendPulseEvent` (one flow, the
        event URL, form data). Templated, as far as they say so.
    :param suppress: people of whom nothing is told, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: counts by outcome, of one row.
    """

    template_fields: Sequence[str] = (
        *EventOperator.template_fields,
        "contact_email",
        "contact_phone",
        "key",
        "data",
    )

    # Airflow has operator arguments called `email` and `params` of its own, with other meanings.
    contact_email = MaskedAttribute()
    contact_phone = MaskedAttribute()
    key = MaskedAttribute()
    data = MaskedAttribute()

    def __init__(
        self,
        *,
        contact_email: str | None = None,
        contact_phone: str | None = None,
        key: str | None = None,
        data: Mapping[str, Any] | None = None,
        **kwargs: Unpack[EventArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.refuse_mixture(key=key)
        self.contact_email = contact_email
        self.contact_phone = contact_phone
        self.key = key
        self.data = data

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Send the event."""
        from airflow_provider_esp.core.readers.table import Table
        from airflow_provider_esp.core.validation.mapper import Mapper

        with final_errors(), self.hook() as hook:
            target = self.event_target(context, hook)
            event = self._event(self.values or self.value_rules(hook))
            with self.held_send_key(context) as key:
                run = self.send(
                    context,
                    hook,
                    Table(("event",), iter([(event,)]), "the event"),
                    target,
                    Mapper(lambda row: row[0], lambda event: event.email or event.phone or ""),
                    deduplicate=False,
                    suppression=leaving_out(key, self.suppression(hook)),
                    send_key=key,
                )
            return self.end_send(context, self.send_summary(run), main_reasons(run.report), run.ledger)

    def check_rejects(self, counts: Counts, reasons: str, advice: str = "") -> None:
        """Fail if the event was refused.

        :raises TooManyRejects: it was.
        """
        from airflow_provider_esp.exceptions import TooManyRejects

        if counts.refused:
            raise TooManyRejects(f"The event was refused: {reasons.removesuffix(' (1)')}.{advice}")

    def _event(self, values: ValueRules) -> Event:
        from airflow_provider_esp.core.models import Event
        from airflow_provider_esp.exceptions import CountryCodeMissing, InvalidValue, TaskError

        given = {}
        for name in ("contact_email", "contact_phone", "key"):
            value = unmask(getattr(self, name))
            if value is not None and not isinstance(value, str):
                raise TaskError(f"{name} must be text, not a {type(value).__name__}: put it in quotes.")
            given[name] = (value or "").strip()
        email, phone, key = given.values()
        if not (email or phone):
            raise TaskError(
                "The event has neither email nor phone, which tells whose it is: give contact_email or contact_phone."
            )
        try:
            person = values.email(email, "contact_email"), values.phone(phone, "contact_phone"), values.id(key, "key")
            data = {name: values.json(value, name) for name, value in (unmask(self.data) or {}).items()}
        except CountryCodeMissing as reason:
            raise TaskError(
                f"The event cannot be sent: {reason}. Write it with a plus, or say default_country= or "
                'phone_format="international".'
            ) from None
        except InvalidValue as reason:
            raise TaskError(f"The event cannot be sent: {reason}.") from None
        return Event(self.event, data, *person)


class SendEventsOperator(EventOperator, SendOperator):
    """Send one event for each row of a source. For a single event there is `SendEventOperator`, which see.

    :param esp_conn_id: the Airflow connection. Templated.
    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom). Templated.
    :param event: the events' name: eSputnik's ``eventTypeKey`` (made if it does not exist), SendPulse's event name
        (of no meaning with ``to_event_url``). Templated.
    :param data: source column to parameter; None for all other columns under their own names. Templated.
    :param email_column: the column with the address.
    :param phone_column: the column with the phone number.
    :param key_column: the column with eSputnik's ``keyValue``.
    :param options: what only one service has: `EsputnikEvent` (the method's version) or `SendPulseEvent` (one flow, the
        event URL, form data). Templated, as far as they say so.
    :param suppress: people of whom nothing is told, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param max_recipients: refuse to send anything where there are more events than this. Templated.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: counts by outcome.
    """

    template_fields: Sequence[str] = (*SendOperator.template_fields, "event", "options", "data")

    def __init__(
        self,
        *,
        data: Mapping[str, str] | None = None,
        email_column: str = "email",
        phone_column: str = "phone",
        key_column: str | None = None,
        **kwargs: Unpack[EventsArguments],
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[misc]  # the next class of the MRO takes the others
        self.refuse_mixture(key_column=key_column)
        self.data = data
        self.email_column = email_column
        self.phone_column = phone_column
        self.key_column = key_column

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Send an event for each row."""
        with final_errors(), self.hook() as hook:
            target = self.event_target(context, hook)
            with self.held_send_key(context) as key:
                # Two events of one person are two events, unless they share a key.
                once = key is not None
                left_out = self.audience(hook, self._mapper, deduplicate=once, send_key=key)
                with self.rows() as table:
                    run = self.send_rows(
                        context,
                        hook,
                        table,
                        target,
                        self._mapper(table),
                        deduplicate=once,
                        suppression=left_out,
                        send_key=key,
                    )
            return self.end_send(context, self.send_summary(run), main_reasons(run.report), run.ledger)

    @property
    def identity_columns(self) -> Sequence[str]:
        """The columns of address, number and key."""
        return [column for column in (self.email_column, self.phone_column, self.key_column) if column]

    def _mapper(self, table: Table) -> Mapper[Event]:
        from airflow_provider_esp.core.validation.mapper import event_mapper

        columns = {"email": self.email_column, "phone": self.phone_column, "key": self.key_column}
        identity = {field: column for field, column in columns.items() if column}
        return event_mapper(table, self.event, identity, self.data, self.values)


def _refuse_look_up() -> None:
    from airflow_provider_esp.exceptions import Unsupported

    raise Unsupported(
        "eSputnik and SendPulse",
        'tell which events they have taken (on_unknown="lookup")',
        "eSputnik's activity shows messages, and SendPulse shows nothing of an event: say stop, skip or resend.",
    )
