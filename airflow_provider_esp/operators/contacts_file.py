"""`ImportContactsFromUrlOperator`: the service fetches a file of contacts itself.

Nothing of the file passes through here, so nothing is checked, counted or reported row by row: what is known in the end
is whom the import says that it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Unpack
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._base import ChangingOperator
from airflow_provider_esp.operators._import_waits import ImportWaits
from airflow_provider_esp.operators._templating import as_tuple
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.masking import WrappedAttribute, without_secrets
from airflow_provider_esp.utils.wait_limits import default_deferrable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.models import Import, UploadOptions
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import ChangingArguments

_NO_REASON = "it gives no reason"


class FileUrl:
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


def check_url(url: str) -> None:
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
            f"url= takes the https address of a file, and {shown!r} is {error}. It cannot hold a login: sign the "
            "address instead; write blanks and other letters percent-encoded."
        ) from None
    if not is_safe(url):
        raise ValueError(
            f"url= takes the https address of a file, not {shown!r}: over http anybody on the way could read the "
            "contacts."
        )


class ImportContactsFromUrlOperator(ImportWaits, ChangingOperator):
    """Have the service fetch a CSV file and import its contacts, and wait until it has.

    eSputnik's `POST v1/contacts/upload`: UTF-8, commas, up to 100 MB, headers as eSputnik names them. Nothing of the
    file is checked or reported row by row; `UploadContactsOperator` does that. SendPulse fetches no files.

    A retry submits the file again: imports are upserts, so that does no harm.

    **Contacts added in bulk count as confirmed at eSputnik**: no double opt-in mail is sent. Import only people who
    have agreed to be written to.

    :param esp_conn_id: the Airflow connection. Templated.
    :param url: the file's https address. It may hold a signature, which is never shown. Templated.
    :param dedupe_on: the field by which contacts are matched: ``email`` (default), ``phone`` or ``email_or_phone``.
    :param segments: names of segments that the contacts are added to. Templated.
    :param segments_exclude: names of segments that the contacts are taken out of. Templated.
    :param create_segments: create what ``segments`` names and does not exist; otherwise it is refused.
    :param restore_deleted: bring deleted contacts back; otherwise the service skips them.
    :param event_key_for_new_contacts: event type generated for each new contact, which starts workflows.
    :param wait_for_completion: wait until the import has ended, and count the contacts that it wrote.
    :param deferrable: wait in the triggerer instead of on the worker.
    :param poll_interval: seconds between two looks at the import.
    :param timeout: seconds that the wait may take at the most.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: counts by outcome, of which only *accepted* is known, and the id of the import.
    """

    template_fields: Sequence[str] = (*ChangingOperator.template_fields, "url", "segments", "segments_exclude")
    url: Any = WrappedAttribute(lambda value: FileUrl(value) if isinstance(value, str) else value)

    def __init__(
        self,
        *,
        url: str,
        dedupe_on: str | None = None,
        segments: Sequence[str] = (),
        segments_exclude: Sequence[str] = (),
        create_segments: bool = False,
        restore_deleted: bool = False,
        event_key_for_new_contacts: str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        poll_interval: float = 5.0,
        timeout: float = 2 * 60 * 60,
        **kwargs: Unpack[ChangingArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.url = url
        if isinstance(self.url, FileUrl) and "{" not in self.url.url:
            check_url(self.url.url)
        self.dedupe_on = dedupe_on
        self.segments = segments
        self.segments_exclude = segments_exclude
        self.create_segments = create_segments
        self.restore_deleted = restore_deleted
        self.event_key_for_new_contacts = event_key_for_new_contacts
        self.wait_for_completion = wait_for_completion
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Have the file imported, and wait for the import here or in the triggerer."""
        from airflow_provider_esp.core.models import Import, ImportState
        from airflow_provider_esp.core.waits import UrlImportState

        with final_errors(), self.hook() as hook:
            hook.check_access("upload", "imports")
            self.push_links(context, hook, "import")
            url = self.url.url if isinstance(self.url, FileUrl) else ""
            check_url(url)
            submitted = self.change(hook, hook.adapter.import_from_url(url, self._options()))
            if submitted is None:  # a dry run
                return self._summary(None)
            if submitted.import_id is None:
                _refuse(url, "; ".join(submitted.rejected.values()))
            self.push_links(context, hook, "import", submitted.import_id)
            self.log.info("%s submitted; the import is %s.", self.url, submitted.import_id)
            if not self.wait_for_completion:
                return self._summary(Import(submitted.import_id, ImportState.RUNNING))
            end = self.end_of_wait(self.timeout)
            if self.deferrable:
                self.defer_until_imported([submitted.import_id], end, UrlImportState(submitted.import_id))
            return self._summary(self._wait(hook, submitted.import_id, end))

    @tells_outlets
    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait: read how many contacts the import wrote.

        :param event: that the import has ended.
        """
        with self.hook() as hook:
            hook.check_access("imports")
            return self._summary(hook.run(hook.adapter.import_state(self._import_id(event))))

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the import takes longer than the author allows."""
        self._too_late(self._import_id(event))

    @staticmethod
    def _import_id(event: WaitEvent) -> str:
        from airflow_provider_esp.core.waits import UrlImportState

        return event.left(UrlImportState).import_id

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return which segments got how many contacts; asked by Airflow's OpenLineage provider.

        The file is not named: its address may be a secret.
        """
        from airflow_provider_esp.operators._openlineage import operator_lineage, service_places

        with self.hook() as hook:
            service = hook.conn_type
        rows = (self.ended_with or {}).get("accepted")
        return operator_lineage([], service_places(service, self.esp_conn_id, as_tuple(self.segments), rows))

    def _options(self) -> UploadOptions:
        from airflow_provider_esp.core.models import UploadOptions

        return UploadOptions(
            dedupe_on=self.dedupe_on,
            segments=as_tuple(self.segments),
            segments_exclude=as_tuple(self.segments_exclude),
            create_segments=self.create_segments,
            restore_deleted=self.restore_deleted,
            event_key_for_new_contacts=self.event_key_for_new_contacts,
            dry_run=self.is_dry,
        )

    def _wait(self, hook: EspHook, import_id: str, end: float) -> Import:
        from airflow_provider_esp.core.models import ImportState
        from airflow_provider_esp.core.polling import poll_until

        def look() -> Import | None:
            state = hook.run(hook.adapter.import_state(import_id))
            return None if state.state is ImportState.RUNNING else state

        ended = poll_until(look, end, self.poll_interval, pause=self.stop.pause)
        return self._too_late(import_id) if ended is None else ended

    def _summary(self, state: Import | None) -> dict[str, Any]:
        """Return what is known: whom the import wrote. Of others in the file the service says nothing.

        :raises AirflowException: the import failed.
        """
        from airflow_provider_esp.core.models import ImportState
        from airflow_provider_esp.core.outcomes import Counts, Outcome
        from airflow_provider_esp.operators._progress import Progress

        counts = Counts()
        if state is not None and state.state is ImportState.FAILED:
            _refuse(self.url.url, state.problem)
        if state is not None and state.state is ImportState.DONE:
            counts.add(Outcome.ACCEPTED, len(state.done or ()))
            Progress(self.log, self.metric_tags, quiet=self.is_dry).count(counts)
            self.log.info(
                "The import wrote %s contacts. Rows of the file that it left out are not known: "
                "UploadContactsOperator learns of each.",
                f"{counts.rows:,}",
            )
        imports = [] if state is None else [state.id]
        return self.told({"rows": counts.rows, **counts.as_dict(), "imports": imports, "imports_total": len(imports)})

    def _too_late(self, import_id: str) -> NoReturn:
        self.fail_too_late(
            f"The import {import_id}",
            "The service goes on with it; a retry submits the file again, which does no harm.",
        )


def _refuse(url: str, problem: str) -> NoReturn:
    from airflow_provider_esp.utils.redaction import redact

    # A service may quote the address whole, or a part of it that has lost its beginning.
    words = problem.replace(url, without_secrets(url))
    query = urlsplit(url).query
    words = words.replace(query, "***") if query else words
    words = redact(without_secrets(words)).rstrip(".")
    raise AirflowException(
        f"The service did not import {without_secrets(url)}: {words or _NO_REASON}. "
        "It takes CSV in UTF-8 with commas, up to 100 MB, at an address that it can reach."
    )
