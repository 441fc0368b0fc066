"""The other way of `UploadContactsOperator`: the service fetches a file itself, from a link.

Nothing of the file passes through here, so nothing is checked, counted or reported row by row: what is known in the end
is whom the import says that it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.utils.masking import without_secrets
from airflow_provider_esp.utils.wait_limits import limit_of_wait

if TYPE_CHECKING:
    from airflow_provider_esp.core.models import Import
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators.contacts import UploadContactsOperator

LINK = "link"


class Link:
    """A file's address, which may hold a login or a signature: shown without them.

    :param url: the address. Templated.
    """

    template_fields: Sequence[str] = ("url",)

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        shown, *query = re.split("[?#]", self.url, maxsplit=1)  # of a template, which may hold spaces, as well
        return without_secrets(shown) + ("?***" if query else "")

    __str__ = __repr__


class LinkAttribute:
    """An operator's ``link``, wrapped the moment it is assigned: Airflow stores and shows template fields."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        return self if operator is None else getattr(operator, self._name)

    def __set__(self, operator: Any, value: Any) -> None:
        setattr(operator, self._name, Link(value) if isinstance(value, str) else value)


def check_arguments(link: Any, given: Mapping[str, bool]) -> None:
    """Refuse, where the DAG is written, what does not go with a link.

    :param given: arguments that are about rows, and whether the author gave them.
    :raises ValueError: one of them is given, or the link cannot be one.
    """
    others = [name for name, said in given.items() if said]
    if others:
        raise ValueError(
            f"link= hands a file to the service as it is, so {', '.join(f'{name}=' for name in others)} cannot go with "
            "it: give source= to have the rows read, checked and uploaded from here."
        )
    if isinstance(link, Link) and "{" not in link.url:
        check_link(link.url)


def check_link(url: str) -> None:
    """Refuse an address at which the service cannot fetch a file safely.

    :raises ValueError: it is not https (http on this machine is allowed, for the sandbox), or not a plain address: no
        login, backslash or blank in it, so that every reader of it sees the same host.
    """
    from airflow_provider_esp.utils.urls import is_safe, web_address

    shown = without_secrets(url)
    try:
        web_address(url)
    except ValueError as error:
        raise ValueError(
            f"link= takes the https address of a file, and {shown!r} is {error}. It cannot hold a login: sign the "
            "link instead; write blanks and other letters percent-encoded."
        ) from None
    if not is_safe(url):
        raise ValueError(
            f"link= takes the https address of a file, not {shown!r}: over http anybody on the way could read the "
            "contacts."
        )


def upload_file(operator: UploadContactsOperator, context: Any, hook: EspHook) -> dict[str, Any]:
    """Hand the link over, and wait for the import here or in the triggerer.

    :returns: what the task returns.
    """
    from airflow_provider_esp.core.models import Import, ImportState

    url = operator.link.url if isinstance(operator.link, Link) else ""
    check_link(url)
    submitted = operator.change(hook, hook.upload_link(url, operator.options(())))
    if submitted is None:  # a dry run
        return _summary(operator, None)
    if submitted.import_id is None:
        _refused(url, "; ".join(submitted.rejected.values()))
    operator.push_links(context, hook, "import", submitted.import_id)
    operator.log.info("%s is handed over; the import is %s.", operator.link, submitted.import_id)
    running = Import(submitted.import_id, ImportState.RUNNING)
    if not operator.wait_for_completion:
        return _summary(operator, running)
    end = operator.end_of_wait(operator.timeout)
    if operator.deferrable:
        _defer(operator, submitted.import_id, end)
    return _summary(operator, _wait(operator, hook, submitted.import_id, end))


def finish_file(operator: UploadContactsOperator, hook: EspHook, event: Mapping[str, Any]) -> dict[str, Any]:
    """Go on after the wait in the triggerer.

    :returns: what the task returns.
    """
    import_id = event["state"][LINK]
    if event["status"] == "timeout":
        _too_late(operator, import_id)
    return _summary(operator, hook.run(hook.import_state(import_id)))


def _defer(operator: UploadContactsOperator, import_id: str, end: float) -> None:
    from airflow_provider_esp.triggers.waits import ImportTrigger

    trigger = ImportTrigger(
        import_ids=[import_id],
        esp_conn_id=operator.esp_conn_id,
        end_time=end,
        poll_interval=operator.poll_interval,
        state={LINK: import_id},
    )
    operator.defer_until(end, trigger)


def _wait(operator: UploadContactsOperator, hook: EspHook, import_id: str, end: float) -> Import:
    import time

    from airflow_provider_esp.core.models import ImportState

    while True:
        state = hook.run(hook.import_state(import_id))
        if state.state is not ImportState.RUNNING:
            return state
        left = end - time.time()
        if left <= 0:
            _too_late(operator, import_id)
        operator.stop.pause(min(operator.poll_interval, left))


def _summary(operator: UploadContactsOperator, state: Import | None) -> dict[str, Any]:
    """Say what is known: whom the import wrote. Of others in the file the service says nothing.

    :raises AirflowException: the import failed.
    """
    from airflow_provider_esp.core.models import ImportState
    from airflow_provider_esp.core.outcomes import Counts, Outcome

    counts = Counts()
    if state is not None and state.state is ImportState.FAILED:
        _refused(operator.link.url, state.problem)
    if state is not None and state.state is ImportState.DONE:
        counts.add(Outcome.ACCEPTED, len(state.done or ()))
        operator.begin_progress(reads=False).count(counts)
        operator.log.info(
            "The import wrote %s contacts. Rows of the file that it left out are not known: give source= instead of "
            "link= to learn of each.",
            f"{counts.rows:,}",
        )
    imports = [] if state is None else [state.id]
    return {**operator.summary(counts), "imports": imports, "imports_total": len(imports)}


def _refused(url: str, problem: str) -> NoReturn:
    from airflow_provider_esp.utils.redaction import redact

    # A service may quote the link whole, or a part of it that has lost its beginning.
    words = problem.replace(url, without_secrets(url))
    query = urlsplit(url).query
    words = words.replace(query, "***") if query else words
    words = redact(without_secrets(words)).rstrip(".")
    raise AirflowException(
        f"The service did not import {without_secrets(url)}: {words or 'it gives no reason'}. "
        "It takes CSV in UTF-8 with commas, up to 100 MB, at an address that it can reach."
    )


def _too_late(operator: UploadContactsOperator, import_id: str) -> NoReturn:
    limit = limit_of_wait(operator, operator.timeout)
    raise TimeoutError(
        f"The import {import_id} had not ended after {limit}. The service goes on with it; a retry hands the link over "
        f"again, which does no harm. Raise {limit.name}= if the service takes longer."
    )
