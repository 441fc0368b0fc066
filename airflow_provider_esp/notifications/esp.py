"""`EspNotifier`: tell people, or a workflow at the service, how a task or a run went."""

from __future__ import annotations

import copy
import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

if TYPE_CHECKING:
    from airflow_provider_esp.core.calls import Flow
    from airflow_provider_esp.core.models import SendResult
    from airflow_provider_esp.core.validation.values import ValueRules
    from airflow_provider_esp.hooks.esp import EspHook

_log = logging.getLogger(__name__)
_DEFAULT_SUBJECT = "Airflow: {dag_id} {state}"


class EspNotifier(BaseNotifier):
    """Send an event, an e-mail or a text message from a callback: on success, on failure, on a missed deadline.

    For ``on_failure_callback`` and its sisters of tasks and DAGs, and on Airflow 3.1 and later for a `DeadlineAlert`:
    ``AsyncCallback(EspNotifier, kwargs={"esp_conn_id": ..., ...})``. All arguments but the connection are templated.

    Whatever goes wrong is one line in the log and changes nothing: neither the task's state, nor that of the callback
    (for a callback that fails Airflow would log its arguments, and with them the addresses). A notification is sent
    once; none is tried again after a doubt.

    :param esp_conn_id: the Airflow connection.
    :param event: name of the event; or
    :param email_to: an address, several with commas between them, or a list; or
    :param sms_to: phone numbers in the same ways, read as the connection says (``default_country``,
        ``phone_format``).
    :param contact_email: whose event it is.
    :param contact_phone: whose event it is.
    :param data: the event's parameters; None for ``dag_id``, ``task_id``, ``run_id``, ``state``, ``try_number`` and
        ``log_url``, as far as they are known.
    :param subject: of the e-mail; None for the DAG's id and its state.
    :param text: of the e-mail or text message; None for the same facts as an event has.
    :param sender: who messages come from. eSputnik needs one (``"Name" <address>``, or an SMS name); SendPulse takes
        the connection's for e-mail.
    :param kwargs: ``context``, which Airflow gives where a notifier is awaited.
    :raises ValueError: not exactly one of ``event``, ``email_to`` and ``sms_to``.
    """

    template_fields: Sequence[str] = (
        "event",
        "email_to",
        "sms_to",
        "contact_email",
        "contact_phone",
        "data",
        "subject",
        "text",
        "sender",
    )

    def __init__(
        self,
        esp_conn_id: str,
        *,
        event: str | None = None,
        email_to: str | Iterable[str] | None = None,
        sms_to: str | Iterable[str] | None = None,
        contact_email: str | None = None,
        contact_phone: str | None = None,
        data: Mapping[str, Any] | None = None,
        subject: str | None = None,
        text: str | None = None,
        sender: str | None = None,
        **kwargs: Any,
    ) -> None:
        context: Any = kwargs.pop("context", None) or {}
        if kwargs:
            raise TypeError(f"EspNotifier has no argument {next(iter(kwargs))!r}.")
        if sum(way is not None for way in (event, email_to, sms_to)) != 1:
            raise ValueError("Give exactly one of event, email_to and sms_to: a notifier sends one thing.")
        self.esp_conn_id = esp_conn_id
        self.event = event
        self.email_to = email_to
        self.sms_to = sms_to
        self.contact_email = contact_email
        self.contact_phone = contact_phone
        self.data = data
        self.subject = subject
        self.text = text
        self.sender = sender
        super().__init__()  # with what is set above, it looks for templates in files
        self.context = context

    def notify(self, context: Any) -> None:
        """Send the notification; never raises."""
        from airflow_provider_esp.hooks.esp import EspHook

        try:
            with EspHook.for_connection(self.esp_conn_id) as hook:
                self._check(hook.run(self._work(hook, context)))
        except Exception as error:  # noqa: BLE001  # see the class
            self._failed(error)

    async def async_notify(self, context: Any) -> None:
        """Send the notification from an event loop; never raises."""
        from airflow_provider_esp.hooks.esp import EspHook

        try:
            hook = await EspHook.afor_connection(self.esp_conn_id)
            self._check(await hook.arun(self._work(hook, context)))
        except Exception as error:  # noqa: BLE001  # see the class
            self._failed(error)

    def __call__(self, *args: Any) -> None:
        """Fill in the templates and send; never raises."""
        try:
            # A copy is filled in: one notifier may serve many tasks of a process.
            BaseNotifier.__call__(copy.copy(self), *args)
        except Exception as error:  # noqa: BLE001  # a template that cannot be filled in
            self._failed(error)

    def __await__(self) -> Generator[Any, None, None]:
        """Do what a call does, from an event loop."""
        return copy.copy(self)._awaited().__await__()

    async def _awaited(self) -> None:
        try:
            self._update_context(self.context)
            self.render_template_fields(self.context)
        except Exception as error:  # noqa: BLE001  # a template that cannot be filled in
            self._failed(error)
        else:
            await self.async_notify(self.context)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Fill in the templates, also where the DAG has no Jinja environment.

        `dag.test()` on Airflow 3 gives a DAG's callbacks a serialised DAG, which has none (apache/airflow#64649).
        """
        if jinja_env is None and not hasattr(context.get("dag"), "get_template_env"):
            jinja_env = self.get_template_env(dag=None)
        super().render_template_fields(context, jinja_env)

    def _work(self, hook: EspHook, context: Any) -> Flow[list[SendResult]]:
        from airflow_provider_esp.core.models import Event, EventOptions
        from airflow_provider_esp.core.notification_model import Notification
        from airflow_provider_esp.core.validation.addresses import email_address

        facts, values = facts_of(context), self._values(hook)
        if self.event is not None:
            email = values.email(self.contact_email, "contact_email")
            phone = values.phone(self.contact_phone, "contact_phone")
            if not (email or phone):
                raise ValueError("The event has no contact: give contact_email or contact_phone.")
            given = facts if self.data is None else self.data
            data = {name: values.json(value, name) for name, value in given.items()}
            return hook.adapter.send_events(EventOptions()).send([Event(self.event, data, email, phone)])
        known = {"dag_id": "a DAG", "state": "ended", **facts}
        return hook.adapter.send_notification(
            Notification(
                text=self.text or "\n".join(f"{name}: {value}" for name, value in facts.items()),
                emails=tuple(map(email_address, _several(self.email_to))),
                phones=tuple(map(values.phones.normalize, _several(self.sms_to))),
                subject=self.subject or _DEFAULT_SUBJECT.format_map(known),
                sender=self.sender,
            )
        )

    def _values(self, hook: EspHook) -> ValueRules:
        """Return how addresses and data are read: as the connection says."""
        from airflow_provider_esp.core.validation.addresses import PhoneRules
        from airflow_provider_esp.core.validation.values import ValueRules

        settings = hook.settings
        phones = PhoneRules(getattr(settings, "default_country", None), getattr(settings, "phone_format", None))
        return ValueRules(phones, getattr(settings, "timezone", None))

    def _check(self, results: list[SendResult]) -> None:
        from airflow_provider_esp.utils.redaction import redact

        refused = [one for one in results if not one.accepted]
        if refused:
            raise RuntimeError(f"{len(refused)} of {len(results)} were refused: {redact(refused[0].reason)}")
        _log.info("The notification is sent.")

    def _failed(self, error: Exception) -> None:
        from airflow_provider_esp.exceptions import headline
        from airflow_provider_esp.utils.redaction import redact

        said = redact(headline(error))
        _log.error("The notification by %s was not sent, and nothing else changes: %s", self.esp_conn_id, said)


def facts_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """Say in a few words what a callback is about, from whatever Airflow gives it.

    :param context: of a task, of a DAG's run, or the small one of a missed deadline.
    :returns: ``dag_id``, ``task_id``, ``run_id``, ``state``, ``try_number`` and ``log_url``, as far as they are known.
    """
    ti = context.get("ti") or context.get("task_instance")
    run = context.get("dag_run")
    state = "missed its deadline" if context.get("deadline") else _fact("state", ti, run)
    found = {
        "dag_id": _fact("dag_id", ti, run, context.get("dag")),
        "task_id": _fact("task_id", ti),
        "run_id": _fact("run_id", ti) or context.get("run_id") or _fact("run_id", run) or _fact("dag_run_id", run),
        "state": None if state is None else str(getattr(state, "value", state)),
        "try_number": _fact("try_number", ti),
        "log_url": _fact("log_url", ti),
    }
    return {name: value for name, value in found.items() if value is not None}


def _fact(name: str, *things: Any) -> Any:
    for thing in things:
        value = thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
        if value is not None:
            return value
    return None


def _several(given: str | Iterable[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(part.strip() for part in parts if part.strip())
