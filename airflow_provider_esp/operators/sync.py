"""`SyncContactsOperator`: what a query returns is what a segment or mailing list holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators import _sync_arguments as arguments
from airflow_provider_esp.operators._options import OptionsAttribute
from airflow_provider_esp.operators._sync_parts import SyncParts
from airflow_provider_esp.operators._templating import as_tuple
from airflow_provider_esp.options import EsputnikUpload, SendPulseUpload
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.masking import MaskedAttribute, unmask
from airflow_provider_esp.utils.task_identity import task_identity
from airflow_provider_esp.utils.wait_limits import limit_of_wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.outcomes import Counts
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.sync.comparing import RowComparison
    from airflow_provider_esp.core.sync.pipeline import Pipeline
    from airflow_provider_esp.core.sync.run import SyncRun
    from airflow_provider_esp.core.sync.sending import SyncReport
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import RowsArguments
    from airflow_provider_esp.operators._sync_plan import PlanNotes
    from airflow_provider_esp.stores.syncs import SyncOwner

_READ = 5000
"""Rows that are read together."""


class SyncContactsOperator(SyncParts):
    """Send what a source has added and changed since the last run, and take out who has left it.

    Each run reads the whole source and compares it, by digests, with what the service has accepted; rows that have not
    changed are not even checked. At eSputnik what is sent goes through `POST v1/contacts`, and who has left through
    `POST v1/group/{id}/contacts/detach`; at SendPulse through `POST addressbooks/{id}/emails` and
    `DELETE addressbooks/{id}/emails`. See the guide in docs/sync.md.

    **Only people whom this sync has put there are taken out**, and they stay contacts of the account unless
    ``on_leave`` says otherwise. Everybody whom another key of the source stands for stays.

    **Rows that were refused, or whose answer was lost, go again by themselves** in the next run.

    :param esp_conn_id: the Airflow connection. Templated.
    :param source: a path, a `FileSource`, a `SqlSource`, or a list of dictionaries (also through an XCom). Templated.
    :param key: the column that names a row, in every run the same; unique, and never blank.
    :param columns: source column to contact field, as in `UploadContactsOperator`. None where all columns but ``key``
        are called like the fields.
    :param target: eSputnik: names of static segments; SendPulse: the one mailing list, by name or id. Templated.
    :param create_target: create what ``target`` names and does not exist; otherwise it is refused.
    :param mode: ``upsert`` sends what is new and what has changed; ``insert_only`` keys that this sync has not sent
        yet; ``update_only`` those that it has; ``mirror`` does what upsert does, and takes out who has left. The
        services themselves always create or update: which key is new is told by what the sync remembers.
    :param on_leave: with ``mirror``: ``detach`` from the target alone (the default), ``delete`` the contact, or
        ``unsubscribe`` the address.
    :param adopt: with ``mirror``: whether people of the source who were in the target before the first run count as put
        there by this sync. Otherwise the target is listed once, and who was there before is never taken out.
    :param state_path: folder, at anything `ObjectStoragePath` takes, for what this sync remembers; no other sync's.
        Templated.
    :param state_key: the secret of the state, at least 32 characters. None for one that is made at the first run, and
        that Airflow keeps in a Variable. Templated.
    :param keep_generations: how many states stay.
    :param resync: ``changed``, or ``all`` to send every row. Templated.
    :param resync_every: send every row when this time has passed since it was done last, against drift; None for never.
    :param max_change: share of the people held, such as 0.3 or ``"30%"``, that may be added, changed and taken out in a
        run; more stop it before anything is sent. None for any. Templated.
    :param max_removed: likewise for those taken out alone. Templated.
    :param max_tries: after how many refusals of the same row it is not sent again until it changes.
    :param limit: rows that are sent at the most, on trial; nobody is taken out then. None for all. Templated.
    :param reset: begin anew, for one run: ``newest`` takes the newest generation that is whole, ``take_as_sent`` takes
        the source for what was sent, ``send_all`` sends everything. Templated.
    :param allow_older: whether a run may follow one with a later logical date. Templated.
    :param on_running: ``stop`` where another run of this sync works, or ``wait`` for it, for ``timeout`` at the most.
    :param blank_values: ``keep`` what a blank cell names (default), or ``clear`` it.
    :param dedupe_on: eSputnik: the field by which contacts are matched, as in `UploadContactsOperator`; a custom field
        only where nobody is taken out.
    :param options: what only one service has: `EsputnikUpload` or `SendPulseUpload`, as in `UploadContactsOperator`.
        Templated, as far as they say so.
    :param batch_size: contacts in a request; None for the service's maximum.
    :param concurrency: requests under way at once.
    :param max_open_imports: imports that may be open at the service at once.
    :param poll_interval: seconds between two looks at the imports.
    :param timeout: seconds that the wait for imports, on the worker, may take at the most.
    :param report_path: folder, which tasks and runs may share, for the rows that are not accepted. Templated.
    :param report_rows: whether the report holds the rows themselves.
    :param max_rejects: rows of those sent that may be refused before the task fails; the state is committed before.
    :param on_empty: ``skip``, ``fail`` or ``continue`` where the source has no rows: nobody is taken out in any case.
    :param suppress: people who are not sent, see `ReportingOperator`. Templated.
    :param suppress_column: the columns that name them.
    :param dry_run: say what a run would do, see `ChangingOperator`. Templated.
    :returns: counts of the plan and by outcome, who was taken out, how many are held, and where the report is.
    """

    template_fields: Sequence[str] = (
        *SyncParts.template_fields,
        "target",
        "options",
        "state_path",
        "state_key",
        "resync",
        "max_change",
        "max_removed",
        "limit",
        "reset",
        "allow_older",
    )
    options: Any = OptionsAttribute(EsputnikUpload, SendPulseUpload)
    state_key = MaskedAttribute()

    def __init__(
        self,
        *,
        key: str,
        target: str | Sequence[str],
        state_path: str,
        columns: Mapping[str, str] | None = None,
        create_target: bool = False,
        mode: Literal["upsert", "insert_only", "update_only", "mirror"] = "upsert",
        on_leave: Literal["detach", "delete", "unsubscribe"] = "detach",
        adopt: bool = True,
        state_key: str | None = None,
        keep_generations: int = 7,
        resync: str = "changed",
        resync_every: timedelta | None = timedelta(days=30),
        max_change: float | str | None = 0.3,
        max_removed: float | str | None = 0.1,
        max_tries: int = 5,
        limit: int | str | None = None,
        reset: str | None = None,
        allow_older: bool | str = False,
        on_running: Literal["stop", "wait"] = "stop",
        blank_values: Literal["keep", "clear"] = "keep",
        dedupe_on: str | None = None,
        options: EsputnikUpload | SendPulseUpload | None = None,
        batch_size: int | None = None,
        concurrency: int = 4,
        max_open_imports: int = 50,
        poll_interval: float = 5.0,
        timeout: float = 2 * 60 * 60,
        **kwargs: Unpack[RowsArguments],
    ) -> None:
        super().__init__(**kwargs)
        arguments.check_choice("mode", mode, arguments.MODES)
        arguments.check_choice("on_leave", on_leave, arguments.ON_LEAVE)
        arguments.check_choice("on_running", on_running, arguments.ON_RUNNING)
        arguments.check_choice("blank_values", blank_values, ("keep", "clear"))
        if mode != "mirror" and (on_leave != "detach" or not adopt):
            raise ValueError(f"on_leave and adopt are about who is taken out, and mode={mode!r} takes nobody out.")
        if min(concurrency, max_open_imports, max_tries, keep_generations) < 1:
            raise ValueError("concurrency, max_open_imports, max_tries and keep_generations must be at least 1.")
        if not key or not state_path:
            raise ValueError("key and state_path must be given: a sync compares rows by their key with its state.")
        self.key = key
        self.target = target
        self.state_path = state_path
        self.columns = columns
        self.create_target = create_target
        self.mode = mode
        self.on_leave = on_leave
        self.adopt = adopt
        self.state_key = state_key
        self.keep_generations = keep_generations
        self.resync = resync
        self.resync_every = resync_every
        self.max_change = max_change
        self.max_removed = max_removed
        self.max_tries = max_tries
        self.limit = limit
        self.reset = reset
        self.allow_older = allow_older
        self.on_running = on_running
        self.blank_values = blank_values
        self.dedupe_on = dedupe_on
        self.options = options
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.max_open_imports = max_open_imports
        self.poll_interval = poll_interval
        self.timeout = timeout

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Compare the source with the state, send what has changed, take out who has left, and commit."""
        from airflow_provider_esp.core.sync.generations import StateFolder
        from airflow_provider_esp.core.sync.run import SyncRun, current
        from airflow_provider_esp.stores.syncs import state_key
        from airflow_provider_esp.utils.paths import private_path

        folder = private_path(self.state_path, "state_path")
        with final_errors(), self.hook() as hook:
            hook.check_access("upload", "imports")
            if self.mode == "mirror":
                hook.check_access("contacts")
            self.push_links(context, hook, "import")
            settings, run = self.sync_settings(hook), self.this_run(context)
            with self._owned(context, hook) as owner:
                key = state_key(self.state_path, unmask(self.state_key), keep=not self.is_dry)
                state = StateFolder(folder, key)
                base = current(state, settings, run, dry=self.is_dry)
                with SyncRun(state, base, settings, run, self.is_dry) as sync:
                    if base is not None and sync.nothing_to_do and not self.is_dry:
                        self.log.info("An earlier try of this run has committed already: there is nothing to do.")
                        sync.end(base)
                        return base.facts.result
                    return self._sync(hook, sync.load(), owner)

    @contextmanager
    def _owned(self, context: Context, hook: EspHook) -> Iterator[SyncOwner | None]:
        """Be the one run of this sync that works, and of the syncs that take people out the only one at the target."""
        from airflow_provider_esp.stores.syncs import SyncOwner, claim_target

        if self.is_dry:
            yield None
            return
        identity = task_identity(context)
        owner = SyncOwner(self.state_path, f"{identity.run_id}/{identity.map_index}", int(context["ti"].try_number))
        owner.claim(self.on_running, self._pause, self.timeout)
        try:
            for name in as_tuple(self.target):
                place = json.dumps([hook.service.name, self.esp_conn_id, name.strip()])
                claim_target(place, self.state_path, f"{identity.dag_id}.{identity.task_id}", self.mode)
            yield owner
        finally:
            owner.release()

    def _pause(self, seconds: float) -> None:
        from airflow_provider_esp.exceptions import TaskStopped

        self.stop.pause(seconds)
        if self.stop.requested:
            raise TaskStopped(
                "Airflow ended this task while it waited for another run of the sync. A retry waits again."
            )

    # -- one run

    def _sync(self, hook: EspHook, sync: SyncRun, owner: SyncOwner | None) -> dict[str, Any]:
        from airflow_provider_esp.core.sync.comparing import RowComparison
        from airflow_provider_esp.core.validation.mapper import targets_of
        from airflow_provider_esp.operators._sync_plan import PlanNotes

        membership = hook.adapter.membership(self.membership_options())
        self.check_target(hook, sync, membership)
        left_out = self.suppression(hook, next(iter(as_tuple(self.target)), None))
        with ExitStack() as stack:
            with self.rows(self.column_names()) as table:
                mapping = self.mapping(table)
                targets = sorted(targets_of(table, mapping), key=lambda target: target[2])
                self.check_handles(hook, membership, [name for _, _, name in targets])
                at = table.columns.index(self.key)
                table.use([self.key, *(name for _, name, _ in targets)])
                used = [position for position, _, _ in targets]
                comparison = stack.enter_context(RowComparison(sync.state.key, used, at, self.key, table.origin))
                self._read(table, comparison)
            names = tuple(name for _, name, _ in targets)
            columns = names if self.key in names else (*names, self.key)
            notes = PlanNotes(sync.state.key, comparison, names)
            report = self.sync_report()
            if sync.base is None and self.mode == "mirror" and not self.adopt and not self.is_dry:
                there = sync.note_who_was_there(membership, hook.run)
                self.log.info("%s people were in the target before this sync (adopt=False).", f"{there:,}")
            sync.compare(comparison, table.origin, notes.note)
            held = 0 if sync.before is None else sync.before.held
            self.log.info("%s", notes.table(sync.plan, held, sync.why_everything))
            fields = {name: field for _, name, field in targets}
            pipeline = self.pipeline(hook, sync, membership, columns, fields, left_out, report, owner)
            return self._carry_out(sync, comparison, pipeline, notes)

    def _carry_out(
        self, sync: SyncRun, comparison: RowComparison, pipeline: Pipeline, notes: PlanNotes
    ) -> dict[str, Any]:
        from airflow_provider_esp.core.outcomes import Outcome
        from airflow_provider_esp.core.row_report import RowReport

        report = pipeline.report
        unreadable = [RowReport(row.number, Outcome.INVALID, None, row.reason) for row in comparison.unreadable]
        if unreadable:
            report.write(unreadable[0].row, "00", "unreadable", unreadable)
        pipeline.name_parked(sync, comparison)
        if self.is_dry:
            notes.write(report)
        upload = pipeline.send(sync, comparison)
        if not upload.wait(self.timeout):
            limit = limit_of_wait(self, self.timeout)
            raise TimeoutError(
                f"{len(upload.open_imports)} imports had not ended after {limit}. A retry sends their rows again. "
                f"Raise {limit.name}= if the service takes longer."
            )
        counts = upload.counts
        counts.add(Outcome.INVALID, comparison.unreadable_rows)
        told = {"removed": 0, "kept": 0, "not_removed": 0}
        if self._takes_out(sync, comparison):
            removing = pipeline.remove(sync)
            told = {"removed": removing.removed, "kept": removing.kept, "not_removed": removing.refusals}
        if self.is_dry:
            return self._end(sync, counts, report, comparison.rows, told)
        summary = self._summary(sync, counts, comparison.rows, told)
        pointer = sync.commit(comparison.rows, summary)
        try:
            return self._end(sync, counts, report, comparison.rows, {**told, "held": pointer.facts.held})
        finally:  # whatever is said of its rows, the run has come to its end
            sync.end(pointer)

    def _takes_out(self, sync: SyncRun, comparison: RowComparison) -> bool:
        if self.is_dry or self.mode != "mirror" or sync.plan.on_trial:
            return False
        if comparison.unreadable_rows:
            self.log.warning(
                "%s rows could not be read, so nobody knows who they are: nobody is taken out in this run.",
                f"{comparison.unreadable_rows:,}",
            )
            return False
        return True

    def _end(
        self, sync: SyncRun, counts: Counts, report: SyncReport, rows: int, told: Mapping[str, Any]
    ) -> dict[str, Any]:
        self.log.info(
            "Taken out: %s; stay because another key stands for them: %s; refused, and tried again: %s.",
            *(f"{told[name]:,}" for name in ("removed", "kept", "not_removed")),
        )
        self.conclude(counts, report)
        self.discard_copy()
        return self._summary(sync, counts, rows, told)

    def _summary(self, sync: SyncRun, counts: Counts, rows: int, told: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_provider_esp.operators._sync_plan import plan_counts

        return {
            **self.summary(counts),
            "rows": rows,
            "plan": plan_counts(sync.plan),
            **told,
            "generation": sync.journal.generation + (0 if self.is_dry else 1),
            "resync": sync.why_everything or None,
        }

    def _read(self, table: Table, comparison: RowComparison) -> None:
        from airflow_provider_esp.exceptions import TaskStopped

        first_row = 1
        while rows := table.take(_READ, []):
            if self.stop.requested:
                raise TaskStopped(
                    "Airflow ended this task while it read its source. Nothing was sent; a retry reads again."
                )
            comparison.take(first_row, rows)
            first_row += len(rows)
