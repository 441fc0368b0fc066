"""`UploadContactsOperator`: rows become contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._import_waits import ImportWaits
from airflow_provider_esp.operators._options import OptionsAttribute, options_for
from airflow_provider_esp.operators._rows import RowsOperator
from airflow_provider_esp.operators._service_arguments import refuse_mixture
from airflow_provider_esp.operators._templating import as_tuple
from airflow_provider_esp.options import EsputnikUpload, SendPulseUpload
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.wait_limits import default_deferrable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.ledger import OpenImportRecord, UploadLedger
    from airflow_provider_esp.core.models import UploadOptions
    from airflow_provider_esp.core.upload.run import Upload
    from airflow_provider_esp.core.validation.suppression import Suppression
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import RowsArguments


class UploadContactsOperator(ImportWaits, RowsOperator):
    """Create or update contacts from rows, and wait until the service has taken them in.

    At eSputnik this is `POST v1/contacts` in batches of 3000 and then `GET v1/importstatus/{sessionId}`; at SendPulse
    `POST addressbooks/{id}/emails`, which answers for a batch as a whole.

    A ledger tells a retry what is done. Uploads are upserts, so it is written about once a second, and a retry may
    repeat the last batches, which does no harm. Where the source has changed meanwhile, a retry begins anew. The
    ledger goes when the upload has come to its end.

    **Nothing that a row does not carry is erased.** A blank cell leaves the old value alone unless
    ``blank_values="clear"``.

    **Contacts added in bulk count as confirmed at eSputnik**: no double opt-in mail is sent. Upload only people who
    have agreed to be written to.

    :param esp_conn_id: the Airflow connection. Templated.
    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom). Templated.
    :param columns: source column to contact field: ``email``, ``phone``, ``external_id``, ``first_name``,
        ``last_name``, ``language``, ``time_zone``, ``address``, ``town``, ``region``, ``postcode``, or the key of a
        custom field (eSputnik: ``PROFILE.FIELD`` or the field's own key; SendPulse: the variable's name). Columns that
        it does not name are left out. None where all columns are called like the fields.
    :param blank_values: ``keep`` what a blank cell names (default), or ``clear`` it.
    :param dedupe_on: eSputnik: the field by which contacts are matched: ``email`` (default), ``phone``,
        ``email_or_phone``, ``external_id``, or a custom field's key.
    :param segments: eSputnik: names of segments that the contacts are added to; SendPulse: the one mailing list, by
        name or id. Templated.
    :param segments_exclude: eSputnik: names of segments that the contacts are taken out of. Templated.
    :param create_segments: create what ``segments`` names and does not exist; otherwise it is refused.
    :param options: what only one service has: `EsputnikUpload` (deleted contacts, an event for each new one) or
        `SendPulseUpload` (a request to confirm). Templated, as far as they say so.
    :param batch_size: contacts in a request; None for the service's maximum (SendPulse names none: 100).
    :param concurrency: requests under way at once.
    :param max_open_imports: imports that may be open at the service at once.
    :param wait_for_completion: wait until the imports have ended, and compare whom they wrote with whom we sent.
    :param deferrable: wait in the triggerer instead of on the worker.
    :param poll_interval: seconds between two looks at the imports.
    :param timeout: seconds that the wait may take at the most.
    :param ledger_path: a file for the ledger, on a disk that every worker sees, instead of Airflow's own store.
        Templated; it must differ by run.
    :param report_path: folder, which tasks and runs may share, for the rows that are not accepted. Templated.
    :param report_rows: whether the report holds the rows themselves.
    :param max_rejects: rows that may be refused before the task fails. Templated.
    :param on_empty: ``skip``, ``fail`` or ``go_on`` where the source has no rows.
    :param suppress: people who are not uploaded, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: counts by outcome, the ids of the first 100 imports, and where the report is.
    """

    template_fields: Sequence[str] = (
        *RowsOperator.template_fields,
        "segments",
        "segments_exclude",
        "options",
        "ledger_path",
    )
    options: Any = OptionsAttribute(EsputnikUpload, SendPulseUpload)

    def __init__(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        blank_values: Literal["keep", "clear"] = "keep",
        dedupe_on: str | None = None,
        segments: Sequence[str] = (),
        segments_exclude: Sequence[str] = (),
        create_segments: bool = False,
        options: EsputnikUpload | SendPulseUpload | None = None,
        batch_size: int | None = None,
        concurrency: int = 4,
        max_open_imports: int = 50,
        wait_for_completion: bool = True,
        deferrable: bool | None = None,
        poll_interval: float = 5.0,
        timeout: float = 2 * 60 * 60,
        ledger_path: str | None = None,
        **kwargs: Unpack[RowsArguments],
    ) -> None:
        super().__init__(**kwargs)
        if blank_values not in ("keep", "clear"):
            raise ValueError(f"blank_values must be 'keep' or 'clear', not {blank_values!r}.")
        if concurrency < 1 or max_open_imports < 1:
            raise ValueError("concurrency and max_open_imports must be at least 1.")
        refuse_mixture(options, esputnik={"segments_exclude": bool(segments_exclude)}, sendpulse={})
        self.columns = columns
        self.blank_values = blank_values
        self.dedupe_on = dedupe_on
        self.segments = segments
        self.segments_exclude = segments_exclude
        self.create_segments = create_segments
        self.options = options
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.max_open_imports = max_open_imports
        self.wait_for_completion = wait_for_completion
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.ledger_path = ledger_path

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Upload the rows, and wait for the imports here or in the triggerer."""
        with final_errors(), self.hook() as hook:
            hook.check_access("upload", "imports")
            self.push_links(context, hook, "import")
            upload = self._upload(hook, self._ledger(context, trial=True))
            if upload.checkpoint.imports["imports"]:
                self.push_links(context, hook, "import", upload.checkpoint.imports["imports"][0])
            if not upload.open_imports or not self.wait_for_completion:
                return self._conclude(upload)
            end = self.end_of_wait(self.timeout)
            opened = upload.hand_over()
            if self.deferrable:
                self._defer(upload, opened, end)
            if not upload.wait(self.timeout):
                self._too_late(len(upload.open_imports))
            return self._conclude(upload)

    @tells_outlets
    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait: read whom each import wrote, and count.

        :param event: that the imports have ended.
        """
        from airflow_provider_esp.core.outcomes import Counts
        from airflow_provider_esp.core.upload.open_imports import OpenImport, close_import
        from airflow_provider_esp.core.waits import UploadState

        state = event.left(UploadState)
        with self.hook() as hook:
            hook.check_access("imports")
            counts, report = Counts.from_dict(state.counts), self.report(trial=False)
            report.reasons.update(state.reasons)
            self.suppression_counts = state.suppression
            self.begin_progress(reads=False).begin(counts, sum(record.rows for record in state.open))
            for record in state.open:
                close_import(OpenImport.of(record), hook.run(hook.adapter.import_state(record.id)), counts, report)
            try:
                self.conclude(counts, report)
            finally:  # whatever is said of its rows, the upload has come to its end
                self._ledger(context).clear()
                for record in state.open:
                    report.remove(record.part or "")
            self.discard_copy()
            return {**self.summary(counts), "imports": state.imports, "imports_total": state.imports_total}

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the imports take longer than the author allows."""
        from airflow_provider_esp.core.waits import UploadState

        self._too_late(len(event.left(UploadState).open))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Say which file or tables became contacts where, and how many; asked by Airflow's OpenLineage provider."""
        from airflow_provider_esp.operators._openlineage import operator_lineage, service_places, source_places

        with self.hook() as hook:
            service = hook.conn_type
        rows = (self.ended_with or {}).get("accepted")
        return operator_lineage(
            source_places(self.source),
            service_places(service, self.esp_conn_id, as_tuple(self.segments), rows),
        )

    def _ledger(self, context: Context, *, trial: bool = False) -> UploadLedger:
        from airflow_provider_esp.core.ledger import MemoryStore, UploadLedger
        from airflow_provider_esp.stores.ledgers import check_writable, ledger_store

        store = ledger_store(context, self.ledger_path, outlives_success=False)
        if trial and not self.is_dry:
            check_writable(store)
        return UploadLedger(MemoryStore() if self.is_dry else store)

    def _upload(self, hook: EspHook, ledger: UploadLedger) -> Upload:
        from airflow_provider_esp.exceptions import SourceChanged

        left_out = self.suppression(hook, next(iter(as_tuple(self.segments)), None))
        try:
            return self._try_upload(hook, ledger, left_out)
        except SourceChanged as change:
            self.log.warning("%s", change)
            ledger.clear()
        return self._try_upload(hook, ledger, left_out)

    def _try_upload(self, hook: EspHook, ledger: UploadLedger, left_out: Suppression | None) -> Upload:
        from airflow_provider_esp.core.models import STANDARD_FIELDS
        from airflow_provider_esp.core.row_keys import contact_columns
        from airflow_provider_esp.core.simulation import DryUpload
        from airflow_provider_esp.core.upload.checkpoint import Checkpoint
        from airflow_provider_esp.core.upload.run import Upload
        from airflow_provider_esp.core.validation.batch import BatchValidator
        from airflow_provider_esp.core.validation.mapper import custom_fields
        from airflow_provider_esp.core.validation.suppression import SuppressingValidator
        from airflow_provider_esp.exceptions import SourceChanged
        from airflow_provider_esp.operators._values import ValueNotes

        keys = tuple(self.columns) if self.columns is not None else STANDARD_FIELDS
        with self.rows(keys) as table:
            report = self.report()  # before a list or a segment is made
            options = self.upload_options(hook, custom_fields(table, self.columns))
            starts_messages = options.confirmation or options.event_key_for_new_contacts
            target = hook.run(hook.adapter.upload(options))
            values = self.value_rules(hook)
            checker = BatchValidator(
                table, self.columns, target.identity, self.blank_values, target.rules, values=values
            )
            notes = ValueNotes(values, self.log)
            progress = self.begin_progress()
            upload = Upload(
                target=DryUpload(target, self.preview) if self.is_dry else target,
                perform=notes.before(hook.run),
                report=report,
                concurrency=self.concurrency,
                max_open_imports=self.max_open_imports,
                poll_interval=self.poll_interval,
                progress=progress.tell,
                keep_values=self.report_rows,
                row_keys=self.row_keys(table, contact_columns(table.columns, self.columns, target.identity)),
                stop=self.stop,
                checkpoint=Checkpoint(ledger, every=0 if starts_messages else 1),
            )
            try:
                upload.run(table, checker if left_out is None else SuppressingValidator(checker, left_out))
            except BaseException as error:
                if not isinstance(error, SourceChanged):
                    progress.end(upload)
                    self.log.info("%s", _table(upload, self.report_folder))
                raise
            finally:
                notes.end()
        if upload.passed:
            self.log.info("%s rows were uploaded by earlier tries and not again.", f"{upload.passed:,}")
        return upload

    def upload_options(self, hook: EspHook, custom: tuple[str, ...]) -> UploadOptions:
        """Return what the author asks of the upload.

        :param custom: keys of the custom fields that the rows carry.
        """
        from airflow_provider_esp.core.models import UploadOptions

        return UploadOptions(
            custom_fields=custom,
            dedupe_on=self.dedupe_on,
            segments=as_tuple(self.segments),
            segments_exclude=as_tuple(self.segments_exclude),
            create_segments=self.create_segments,
            batch_size=self.batch_size,
            dry_run=self.is_dry,
            **options_for(hook, self.options),
        )

    def _defer(self, upload: Upload, opened: list[OpenImportRecord], end: float) -> None:
        from airflow_provider_esp.core.waits import UploadState

        self.log.info("All batches submitted; deferring until %d imports finish.", len(opened))
        state = UploadState(
            open=opened,
            counts=upload.counts.as_dict(),
            reasons=dict(upload.report.reasons),
            suppression=self.suppression_counts,
            **upload.checkpoint.imports,
        )
        self.note(counts=upload.counts.as_dict(), open=len(opened))
        self.defer_until_imported([record.id for record in opened], end, state)

    def _conclude(self, upload: Upload) -> dict[str, Any]:
        try:
            self.conclude(upload.counts, upload.report)
        finally:  # whatever is said of its rows, the upload has come to its end
            upload.checkpoint.clear(upload.report)
        self.discard_copy()
        return {**self.summary(upload.counts), **upload.checkpoint.imports}

    def _too_late(self, imports: int) -> NoReturn:
        self.fail_too_late(f"{imports} imports", "The service goes on with them; a retry waits for them again.")


def _table(upload: Upload, report_path: str | None) -> str:
    from airflow_provider_esp.operators._outcome_tables import outcome_table

    return outcome_table(upload.counts, upload.report, report_path)
