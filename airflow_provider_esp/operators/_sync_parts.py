"""What a sync is made of: its settings, its report and its parts, from the arguments of its operator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_esp.operators import _sync_arguments as arguments
from airflow_provider_esp.operators._options import options_for
from airflow_provider_esp.operators._rows import RowsOperator
from airflow_provider_esp.operators._templating import as_tuple, number_of, share_of, switch_of
from airflow_provider_esp.utils.task_identity import task_identity

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.sync.membership import Membership, MembershipOptions
    from airflow_provider_esp.core.sync.pipeline import Pipeline
    from airflow_provider_esp.core.sync.run import Run, Settings, SyncRun
    from airflow_provider_esp.core.sync.sending import SyncReport
    from airflow_provider_esp.core.upload.run import UploadTarget
    from airflow_provider_esp.core.validation.suppression import Suppression
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.stores.syncs import SyncOwner


class SyncParts(RowsOperator):
    """An operator that makes the parts of a sync; the arguments are those of `SyncContactsOperator`."""

    key: str
    target: str | Sequence[str]
    columns: Mapping[str, str] | None
    create_target: bool
    mode: Literal["upsert", "insert_only", "update_only", "mirror"]
    on_leave: Literal["detach", "delete", "unsubscribe"]
    keep_generations: int
    resync: str
    resync_every: timedelta | None
    max_change: float | str | None
    max_removed: float | str | None
    max_tries: int
    limit: int | str | None
    reset: str | None
    allow_older: bool | str
    blank_values: Literal["keep", "clear"]
    dedupe_on: str | None
    options: Any
    batch_size: int | None
    concurrency: int
    max_open_imports: int
    poll_interval: float

    def column_names(self) -> tuple[str, ...]:
        """Name the columns of a source that has no header."""
        from airflow_provider_esp.core.models import STANDARD_FIELDS

        return tuple(dict.fromkeys((self.key, *(STANDARD_FIELDS if self.columns is None else self.columns))))

    def mapping(self, table: Table) -> dict[str, str]:
        """Return which column becomes which field.

        :raises ColumnError: the source has no such key.
        """
        from airflow_provider_esp.core.models import STANDARD_FIELDS
        from airflow_provider_esp.exceptions import ColumnError

        if self.key not in table.columns:
            raise ColumnError(
                f"{table.origin}: key= names {self.key!r}, which the source does not have; it has "
                f"{', '.join(map(repr, table.columns))}."
            )
        if self.columns is not None:
            return dict(self.columns)
        return {name: name for name in table.columns if name != self.key or name in STANDARD_FIELDS}

    def sync_report(self) -> SyncReport:
        """Open the report of this task instance.

        :raises StorageUnwritable: it cannot be written.
        """
        from airflow_provider_esp.core.sync.sending import SyncReport
        from airflow_provider_esp.operators._report_folders import open_report

        return open_report(
            self.report_folder,
            self.report_path,
            dry_run=self.is_dry,
            trial=True,
            stopped=lambda: self.stop.requested,
            kind=SyncReport,
        )

    def membership_options(self) -> MembershipOptions:
        """Return what the author asks for of who leaves."""
        from airflow_provider_esp.core.sync.membership import MembershipOptions

        return MembershipOptions(as_tuple(self.target), self.dedupe_on, on_leave=self.on_leave)

    def check_target(self, hook: EspHook, sync: SyncRun, membership: Membership) -> None:
        """Refuse a target that is not there although this sync has put people into it."""
        from airflow_provider_esp.core.sync.errors import SyncGuarded

        held = 0 if sync.before is None else sync.before.held
        if held and not sync.rules_changed and not hook.run(membership.is_there()):
            raise SyncGuarded(
                f"{', '.join(as_tuple(self.target))} is not there, and this sync has put {held:,} people into it. "
                "Nothing was sent. Somebody has deleted or renamed it: restore it, or make it anew and say "
                'reset="send_all".'
            )

    def check_handles(self, hook: EspHook, membership: Membership, fields: Sequence[str]) -> None:
        """Refuse to mirror rows that carry nothing by which the service could take somebody out again."""
        from airflow_provider_esp.exceptions import ColumnError

        if self.mode == "mirror" and not set(membership.handles) & set(fields):
            raise ColumnError(
                f"columns= has no {' or '.join(membership.handles)}, by which {hook.service.title} takes people "
                "out again."
            )

    def sync_settings(self, hook: EspHook) -> Settings:
        """Return how the sync works.

        :raises ValueError: an argument cannot be read.
        """
        from airflow_provider_esp.core.sync.plan import Guards, Rules
        from airflow_provider_esp.core.sync.run import Settings

        return Settings(
            rules=Rules(self.mode, max_tries=self.max_tries),
            guards=Guards(share_of("max_change", self.max_change), share_of("max_removed", self.max_removed)),
            digest=self._rules_digest(hook),
            resync=arguments.wants_resync(self.resync),
            resync_every=arguments.seconds_of(self.resync_every),
            limit=number_of("limit", self.limit),
            reset=arguments.reset_of(self.reset),
            allow_older=switch_of("allow_older", self.allow_older),
            keep_generations=self.keep_generations,
        )

    def _rules_digest(self, hook: EspHook) -> str:
        """Return a digest of how rows become contacts, which changes when something of it does."""
        import hashlib

        told = (
            hook.service.name,
            sorted(as_tuple(self.target)),
            None if self.columns is None else sorted(self.columns.items()),
            [self.key, self.blank_values, self.dedupe_on],
            options_for(hook, self.options).get("restore_deleted", False),  # the others start messages
            [repr(self.phone_rules(hook)), switch_of("clean_text", self.clean_text)],
        )
        return hashlib.blake2b(json.dumps(told).encode(), digest_size=12).hexdigest()

    def this_run(self, context: Context) -> Run:
        """Return which run this is."""
        from airflow_provider_esp.core.sync.run import Run

        dag_run: Any = context["dag_run"]
        date = getattr(dag_run, "logical_date", None) or getattr(dag_run, "run_after", None)
        return Run(task_identity(context).key, "" if date is None else date.astimezone(UTC).isoformat())

    def pipeline(  # noqa: PLR0917  # the parts of a run, which nobody else puts together
        self,
        hook: EspHook,
        sync: SyncRun,
        membership: Membership,
        columns: tuple[str, ...],
        fields: Mapping[str, str],
        left_out: Suppression | None,
        report: SyncReport,
        owner: SyncOwner | None,
    ) -> Pipeline:
        """Put together what carries out a plan.

        :param columns: names of the columns that are used, and of the key behind them if it is not one of these.
        :param fields: contact field by column.
        :param left_out: people who are not sent.
        :param owner: says that this run may go on; None in a dry run.
        """
        from airflow_provider_esp.core.row_keys import RowKeys
        from airflow_provider_esp.core.sync.pipeline import Pipeline
        from airflow_provider_esp.core.validation.batch import BatchValidator
        from airflow_provider_esp.core.validation.suppression import SuppressingValidator
        from airflow_provider_esp.operators._values import ValueNotes

        target = self._target(hook, sync, tuple(fields.values()))
        values = self.value_rules(hook)
        notes: ValueNotes = ValueNotes(values, self.log)

        def checker(table: Table) -> Any:
            plain = BatchValidator(table, fields, target.identity, self.blank_values, target.rules, values=values)
            return plain if left_out is None else SuppressingValidator(plain, left_out)

        return Pipeline(
            target=target,
            membership=membership,
            perform=notes.before(hook.run),
            columns=columns,
            checker=checker,
            report=report,
            row_keys=RowKeys(columns, self.key, ()),
            check=owner.check if owner is not None else lambda: None,
            concurrency=self.concurrency,
            max_open_imports=self.max_open_imports,
            poll_interval=self.poll_interval,
            keep_values=self.report_rows,
            stop=self.stop,
            progress=self.begin_progress(reads=False).tell,
        )

    def _target(self, hook: EspHook, sync: SyncRun, fields: tuple[str, ...]) -> UploadTarget:
        from airflow_provider_esp.core.models import STANDARD_FIELDS, UploadOptions
        from airflow_provider_esp.core.simulation import DryUpload
        from airflow_provider_esp.core.sync.pipeline import TakenAsSent

        options = UploadOptions(
            custom_fields=tuple(name for name in fields if name not in STANDARD_FIELDS),
            dedupe_on=self.dedupe_on,
            segments=as_tuple(self.target),
            create_segments=self.create_target,
            batch_size=self.batch_size,
            dry_run=self.is_dry,
            **options_for(hook, self.options),
        )
        target: UploadTarget = hook.run(hook.adapter.upload(options))
        if self.is_dry:
            return DryUpload(target, self.preview)
        return TakenAsSent(target) if sync.settings.reset == "take_as_sent" else target
