"""`SendEventOperator`: tell a service what somebody did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._outcome_tables import main_reasons
from airflow_provider_esp.operators._sends import SendOperator
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.masking import MaskedAttribute, unmask

if TYPE_CHECKING:
    from airflow_provider_esp.core.models import Event, EventOptions
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.values import ValueRules


class SendEventOperator(SendOperator):
    """Send one event, or one for each row of a source.

    An event can start messages, so it is sent at most once: see `SendOperator`. At eSputnik this is `POST v2/event`
    (or v1); at SendPulse `POST events/name/{event_name}`, or with ``to_event_url=True`` the connection's event URL,
    which needs no other credential, as JSON or, with ``form=True``, as form data.

    :param esp_conn_id: the Airflow connection. Templated.
    :param event: the event's name: eSputnik's ``eventTypeKey`` (made if it does not exist), SendPulse's event name
        (of no meaning with ``to_event_url``). Templated.
    :param contact_email: whose event it is, for one event. Templated.
    :param contact_phone: whose event it is, for one event. Templated.
    :param key: eSputnik's ``keyValue``, for one event. Templated.
    :param data: the event's parameters, for one event; for many: source column to parameter (None: all other columns
        under their own names). Templated.
    :param source: for many events: a path, a `FileSource`, or a list of dictionaries. Templated.
    :param email_column: for many: the column with the address.
    :param phone_column: for many: the column with the phone number.
    :param key_column: for many: the column with eSputnik's ``keyValue``.
    :param version: of eSputnik's method: 2, or 1 for the older one.
    :param automation_id: SendPulse: the one flow that is meant.
    :param to_event_url: SendPulse: use the connection's event URL, without authorisation.
    :param form: SendPulse: send form data to the event URL.
    :param suppress: people of whom nothing is told, see `RowsOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param max_recipients: for many: refuse to send anything where there are more events than this. Templated.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: counts by outcome.
    """

    template_fields: Sequence[str] = (
        *SendOperator.template_fields,
        "event",
        "contact_email",
        "contact_phone",
        "key",
        "data",
    )

    contact_email = MaskedAttribute()
    contact_phone = MaskedAttribute()
    key = MaskedAttribute()
    data = MaskedAttribute(when=lambda operator: operator.source is None)

    def __init__(
        self,
        *,
        event: str,
        contact_email: str | None = None,
        contact_phone: str | None = None,
        key: str | None = None,
        data: Mapping[str, Any] | None = None,
        email_column: str = "email",
        phone_column: str = "phone",
        key_column: str | None = None,
        version: int = 2,
        automation_id: int | None = None,
        to_event_url: bool = False,
        form: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (version != 2 or key is not None or key_column is not None) and (automation_id or to_event_url or form):
            _refuse_mixture()
        if self.on_unknown == "lookup":
            _refuse_look_up()
        if kwargs.get("source") is not None and any((contact_email, contact_phone, key)):
            raise ValueError("contact_email, contact_phone and key are for one event; with source= name the columns.")
        self.event = event
        # Airflow has operator arguments called `email` and `params` of its own, with other meanings.
        self.contact_email = contact_email
        self.contact_phone = contact_phone
        self.key = key
        self.data = data
        self.email_column = email_column
        self.phone_column = phone_column
        self.key_column = key_column
        self.version = version
        self.automation_id = automation_id
        self.to_event_url = to_event_url
        self.form = form

    @tells_outlets
    def execute(self, context: Any) -> dict[str, Any]:
        """Send the event, or one for each row."""
        from airflow_provider_esp.core.validation.mapper import Mapper

        with final_errors(), self.hook() as hook:
            if self.policy_for_unknown == "lookup":
                _refuse_look_up()
            if not self.to_event_url:  # which takes no credential
                hook.check_access("events")
            self.check_send_time(context, hook)
            self.push_links(context, hook, "event", self.event)
            target = hook.adapter.send_events(self._options())
            self.values = self.value_rules(hook)
            if self.source is None:
                one = self._one_event(self.values)
                mapper = Mapper(lambda row: one, lambda event: event.email or event.phone or "")
                left_out = self.suppression(hook)
                run = self.send(context, hook, _table_of(one), target, mapper, deduplicate=False, suppression=left_out)
                return self.end_send(context, self.send_summary(run), main_reasons(run.report), run.ledger)
            # Two events of one person are two events, so nobody counts as met before.
            left_out = self.audience(hook, self._mapper, deduplicate=False)
            with self.rows() as table:
                mapper = self._mapper(table)
                run = self.send(context, hook, table, target, mapper, deduplicate=False, suppression=left_out)
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

    def _options(self) -> EventOptions:
        from airflow_provider_esp.core.models import EventOptions

        return EventOptions(
            version=self.version,
            automation_id=None if self.automation_id is None else int(self.automation_id),
            form=self.form,
            to_event_url=self.to_event_url,
        )

    def _one_event(self, values: ValueRules) -> Event:
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


def _table_of(event: Event) -> Table:
    """Make the one row whose digest the ledger keeps."""
    import msgspec

    from airflow_provider_esp.core.readers.table import Table

    return Table(("event",), iter([(msgspec.json.encode(event, enc_hook=str).decode(),)]), "the event")


def _refuse_look_up() -> None:
    from airflow_provider_esp.exceptions import Unsupported

    raise Unsupported(
        "No service",
        'tell which events it has taken (on_unknown="lookup")',
        "eSputnik's activity shows messages, and SendPulse shows nothing of an event: say stop, skip or resend.",
    )


def _refuse_mixture() -> None:
    from airflow_provider_esp.exceptions import Unsupported

    raise Unsupported(
        "No service",
        "take all of these at once",
        "version=1 and key are eSputnik's; automation_id, to_event_url and form are SendPulse's.",
    )
