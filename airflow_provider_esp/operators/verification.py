"""`VerifyContactsOperator`: which addresses exist, before anybody is uploaded or written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Unpack

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._rows import RowsOperator
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.paths import export_path, file_mode_of
from airflow_provider_esp.utils.task_identity import task_identity
from airflow_provider_esp.utils.wait_limits import default_deferrable, limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.waits import WaitEvent
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import RowOptions

Accepted = Literal["valid", "unconfirmed", "unverified"]


class VerifyContactsOperator(RowsOperator):
    """Have the addresses of a source or a mailing list verified, and write a file of those that are not good enough.

    The file is what ``suppress=`` of any other operator takes, of both services. At SendPulse this is
    `POST verifier-service/send-list-to-verify`, which costs what the account's plan says; eSputnik has nothing of the
    kind.

    The addresses of a source, and nothing else of its rows, go into a mailing list of their own, which is deleted in
    the end. A try that dies leaves it behind for the next one, which deletes it and starts over. A list that is named
    by ``segment`` stays. The service refuses one that a campaign has used; one that was verified, and has no new
    addresses since, is not verified again: its result is read.

    :param esp_conn_id: the Airflow connection. Templated.
    :param path: where the file goes: local, or anything Airflow's `ObjectStoragePath` takes. It should differ by run,
        because it takes the place of one that is there. Columns: `docs/exports.md`. Templated.
    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom). Templated.
    :param segment: in place of `source`, a mailing list by name or id. Templated.
    :param email_column: the source's column of addresses. Templated.
    :param accept: what is good enough: ``valid`` (default), ``unconfirmed``, ``unverified``. An address that is found
        to be anything else is in the file; an invalid one always is.
    :param format: ``ndjson`` or ``parquet`` (extra ``parquet``); None to tell by the name.
    :param deferrable: wait in the triggerer instead of on the worker; None for what Airflow's configuration says.
    :param poll_interval: seconds between two looks.
    :param timeout: seconds that the verification may take at the most.
    :param report_path: folder for the rows that are no addresses, or stand twice. Templated.
    :param report_rows: whether the report holds the rows themselves.
    :param max_rejects: rows that may be no addresses before the task fails. Templated.
    :param on_empty: ``skip``, ``fail`` or ``go_on`` (with an empty file) where the source has no rows.
    :param suppress: people whose addresses are not given to the service, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param file_mode: permissions of the file on a local disk, in octal such as ``"600"``; None for what the worker's
        umask says.
    :param dry_run: keep back what writes, see `ChangingOperator`. Templated.
    :returns: ``path``, ``format``, ``left_out`` (rows of the file), ``bytes``, ``sha256``, ``checked``, ``statuses``
        (addresses by status), and the source's rows by outcome.
    """

    template_fields: Sequence[str] = (*RowsOperator.template_fields, "path", "segment", "email_column")

    def __init__(
        self,
        *,
        path: str,
        source: Any = None,
        segment: str | int | None = None,
        email_column: str = "email",
        accept: Sequence[Accepted] = ("valid",),
        format: Literal["ndjson", "parquet"] | None = None,
        file_mode: str | int | None = None,
        deferrable: bool | None = None,
        poll_interval: float = 10.0,
        timeout: float = 6 * 60 * 60,
        **kwargs: Unpack[RowOptions],
    ) -> None:
        super().__init__(source=source, **kwargs)
        if (segment is None) == (source is None):
            raise ValueError("Give either source= (rows) or segment= (a mailing list).")
        if segment is not None and self.suppress is not None:
            raise ValueError("suppress= is about the rows of source=: a mailing list is verified as a whole.")
        wanted = (accept,) if isinstance(accept, str) else tuple(accept)
        if not wanted or not set(wanted) <= {"valid", "unconfirmed", "unverified"}:
            raise ValueError(f"accept must be some of 'valid', 'unconfirmed' and 'unverified', not {accept!r}.")
        self.path = path
        self.segment = segment
        self.email_column = email_column
        self.accept = wanted
        self.format = format
        self.file_mode = file_mode_of("file_mode", file_mode)
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Hand the addresses over, and wait here or in the triggerer."""
        from airflow_provider_esp.core.export import writer
        from airflow_provider_esp.core.outcomes import Counts, Outcome

        with final_errors(), self.hook() as hook:
            writer.check(writer.format_of(self.path, self.format))
            writer.check_writable(export_path(self.path, self.file_mode))  # a verification costs money
            verification = hook.adapter.verifier()
            counts = Counts()
            if self.segment is not None:
                list_id = hook.run(verification.find_list(str(self.segment)))
            else:
                list_id, counts = self._upload(context, hook)
                self.discard_copy()
            if self.is_dry:
                if self.segment is not None:
                    self.change(hook, verification.start(list_id))
                return self.summary(counts)
            if self.segment is None and not counts[Outcome.ACCEPTED]:
                return self._write(hook, list_id, counts, verified=False)
            hook.run(verification.start(list_id))
            end = self.end_of_wait(self.timeout)
            if self.deferrable:
                self._defer(list_id, counts, end)
            self._wait(hook, list_id, end)
            return self._write(hook, list_id, counts)

    @tells_outlets
    def wait_ended(self, context: Context, event: WaitEvent) -> dict[str, Any]:
        """Go on after the wait: read what the verification says, and write the file.

        :param event: that it has ended.
        """
        from airflow_provider_esp.core.outcomes import Counts
        from airflow_provider_esp.core.waits import VerificationState

        state = event.left(VerificationState)
        with self.hook() as hook:
            return self._write(hook, state.list_id, Counts.from_dict(state.counts))

    def wait_timed_out(self, context: Context, event: WaitEvent) -> NoReturn:
        """Fail: the verification takes longer than the author allows."""
        from airflow_provider_esp.core.waits import VerificationState

        self._too_late(event.left(VerificationState).list_id)

    def awaited(self, event: WaitEvent) -> str:
        """Return what is waited for."""
        return "the verification"

    def _upload(self, context: Context, hook: EspHook) -> tuple[str, Counts]:
        """Put the addresses of the source into a list of their own, which goes again if not all of them get there.

        :returns: the list's id, and the source's rows by outcome.
        """
        from airflow_provider_esp.core.ledger import MemoryStore, UploadLedger
        from airflow_provider_esp.core.simulation import DryUpload
        from airflow_provider_esp.core.upload.checkpoint import Checkpoint
        from airflow_provider_esp.core.upload.run import Upload
        from airflow_provider_esp.core.validation.batch import BatchValidator
        from airflow_provider_esp.core.validation.suppression import SuppressingValidator
        from airflow_provider_esp.operators._values import ValueNotes

        verification = hook.adapter.verifier()
        left_out = self.suppression(hook)
        columns = {self.email_column: "email"}
        with self.rows() as table:
            fresh = verification.upload(None)
            values = self.value_rules(hook)
            notes = ValueNotes(values, self.log)
            checker = BatchValidator(table, columns, fresh.identity, "keep", fresh.rules, values=values)
            list_id = self.change(hook, verification.create_list(f"verification {task_identity(context).digest(6)}"))
            target = verification.upload(list_id)
            upload = Upload(
                target=DryUpload(target, self.preview) if self.is_dry else target,
                perform=notes.before(hook.run),
                report=self.report(),
                concurrency=4,
                max_open_imports=1,
                poll_interval=self.poll_interval,
                progress=self.begin_progress().tell,
                keep_values=self.report_rows,
                stop=self.stop,
                checkpoint=Checkpoint(UploadLedger(MemoryStore()), every=3600),
            )
            try:
                upload.run(table, checker if left_out is None else SuppressingValidator(checker, left_out))
                self.conclude(upload.counts, upload.report)
                self._check_all_handed_over(upload.counts)
            except Exception:
                if list_id is not None:
                    self._delete_list(hook, list_id)
                raise
            finally:
                notes.end()
        return list_id or "", upload.counts

    def _check_all_handed_over(self, counts: Counts) -> None:
        """Refuse to go on with a part: who is not verified would pass for verified.

        :raises AirflowException: the service did not take some addresses.
        """
        from airflow_provider_esp.core.outcomes import Outcome

        missing = sum(counts[outcome] for outcome in (Outcome.REJECTED, Outcome.UNKNOWN, Outcome.NOT_REACHED))
        if missing and not self.is_dry:
            raise AirflowException(
                f"{missing:,} addresses did not reach the service, so nothing was verified. A retry hands all of them "
                "over again."
            )

    def _defer(self, list_id: str, counts: Counts, end: float) -> None:
        from airflow_provider_esp.core.waits import VerificationState, encode
        from airflow_provider_esp.triggers.waits import VerificationTrigger

        self.log.info("The verification of mailing list %s has begun; waiting for it in the triggerer.", list_id)
        trigger = VerificationTrigger(
            list_id=list_id,
            esp_conn_id=self.esp_conn_id,
            end_time=end,
            poll_interval=self.poll_interval,
            state=encode(VerificationState(list_id, counts.as_dict())),
        )
        self.defer_until(end, trigger)

    def _wait(self, hook: EspHook, list_id: str, end: float) -> None:
        from airflow_provider_esp.core.polling import poll_until

        def look() -> bool | None:
            processed, total = hook.run(hook.adapter.verifier().progress(list_id))
            if processed >= total:
                return True
            self.log.info("%s of %s addresses are verified.", f"{processed:,}", f"{total:,}")
            return None

        if poll_until(look, end, self.poll_interval, pause=self.stop.pause) is None:
            self._too_late(list_id)

    def _write(self, hook: EspHook, list_id: str, counts: Counts, *, verified: bool = True) -> dict[str, Any]:
        """Write the file, and delete the list if it was made for it."""
        from airflow_provider_esp.core.export import writer
        from airflow_provider_esp.core.export.schema import VerifiedRow
        from airflow_provider_esp.core.validation.verification import left_out
        from airflow_provider_esp.utils.redaction import shown_counts

        verification, statuses = hook.adapter.verifier(), Counter[str]()
        segment = None if self.segment is None else str(self.segment)
        rows = left_out(
            hook.iterate(verification.results(list_id, segment)) if verified else (),
            hook.iterate(verification.addresses(list_id, segment)) if verified else (),
            self.accept,
            statuses,
        )
        form = writer.format_of(self.path, self.format)
        written = writer.write(rows, VerifiedRow, export_path(self.path, self.file_mode), form)
        if self.segment is None:
            self._delete_list(hook, list_id)
        checked = sum(statuses.values())
        self.log.info(
            "%s addresses were verified; %s of them are left out: %s", f"{checked:,}", f"{written.rows:,}", self.path
        )
        found = {"checked": checked, "statuses": shown_counts(statuses), "left_out": written.rows}
        about = {"path": self.path, "format": form, "bytes": written.size, "sha256": written.sha256}
        return {**self.summary(counts), **about, **found}

    def _delete_list(self, hook: EspHook, list_id: str) -> None:
        """Delete the list that was made for the source; the file is there, so a refusal is no reason to fail."""
        from airflow_provider_esp.exceptions import EspError
        from airflow_provider_esp.hooks.esp import EspHook

        # The hook of a task that is being ended asks nothing any more, and the list must not be left behind.
        own = EspHook.for_connection(self.esp_conn_id) if self.stop.requested else hook
        try:
            own.run(own.adapter.verifier().delete_list(list_id))
        except EspError as error:
            self.log.warning("Mailing list %s was made for this task and could not be deleted: %s", list_id, error)
        finally:
            if own is not hook:
                own.close()

    def _too_late(self, list_id: str) -> NoReturn:
        again = "verifies again" if self.segment is None else "waits for it again"
        limit = limit_of_wait(self, self.timeout)
        raise TimeoutError(
            f"The verification of mailing list {list_id} had not ended after {limit}. The service goes on with it; a "
            f"retry {again}. Raise {limit.name}= if it takes longer."
        )
