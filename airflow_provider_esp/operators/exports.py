"""Results back: what people did, who they are, and how broadcasts went, as files that a warehouse can load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack

from airflow_provider_esp.assets.esp import tells_outlets
from airflow_provider_esp.operators._base import EspOperator
from airflow_provider_esp.operators._progress import EVERY
from airflow_provider_esp.policies.retry import final_errors
from airflow_provider_esp.utils.paths import export_path, file_mode_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_esp.core.export.schema import (
        ActivityRow,
        BroadcastStatsRow,
        ContactRow,
        Exporter,
        Period,
        Row,
    )
    from airflow_provider_esp.hooks.esp import EspHook
    from airflow_provider_esp.operators._arguments import EspArguments, ExportArguments, PeriodArguments

R = TypeVar("R")
Status = Literal["delivered", "undelivered", "read", "clicked", "unsubscribed", "complained", "subscription_changed"]


class ExportOperator(EspOperator):
    """An operator that writes rows to a file, which is there whole or not at all, and the same when written again.

    :param path: where the file goes: local, or anything Airflow's `ObjectStoragePath` takes. Templated: it should
        differ by run, because the file takes the place of one that is there.
    :param format: ``ndjson`` or ``parquet`` (extra ``parquet``); None to tell by the name: ``.ndjson``, ``.jsonl``, the
        same with ``.gz``, or ``.parquet``.
    :param file_mode: permissions of the file on a local disk, in octal such as ``"600"``; None for what the worker's
        umask says. New folders get the same with the right to enter.
    """

    template_fields: Sequence[str] = (*EspOperator.template_fields, "path")
    collections: tuple[str, ...] = ()
    """What is read, in the words of `assets.COLLECTIONS`, for lineage."""

    def __init__(
        self,
        *,
        path: str,
        format: Literal["ndjson", "parquet"] | None = None,
        file_mode: str | int | None = None,
        **kwargs: Unpack[EspArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.format = format
        self.file_mode = file_mode_of("file_mode", file_mode)

    def write(
        self, rows: Iterable[Row], kind: type[Row], seen: Callable[[Any], object] = lambda row: None
    ) -> dict[str, Any]:
        """Write rows to the file.

        :param seen: called with each row of the file.
        :returns: ``path``, ``format``, ``rows``, ``bytes`` and ``sha256`` of the file.
        """
        from airflow_provider_esp.core.export import writer

        form = writer.format_of(self.path, self.format)
        done = writer.write(self._told(rows), kind, export_path(self.path, self.file_mode), form, seen)
        self.log.info("%s rows, %s bytes: %s", f"{done.rows:,}", f"{done.size:,}", self.path)
        return {"path": self.path, "format": form, "rows": done.rows, "bytes": done.size, "sha256": done.sha256}

    def prepare(self) -> None:
        """Find out that the file cannot be written before anything is read.

        :raises ExportError: a package is missing.
        :raises SourceError: no installed provider knows the path's scheme.
        :raises StorageUnwritable: a file cannot be written there.
        :raises ValueError: nothing tells the format, or the path leads upwards.
        """
        from airflow_provider_esp.core.export import writer

        writer.check(writer.format_of(self.path, self.format))
        writer.check_writable(export_path(self.path, self.file_mode))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return which account became which file, and how many rows; asked by Airflow's OpenLineage provider."""
        from airflow_provider_esp.operators._openlineage import export_places, file_place, operator_lineage

        with self.hook() as hook:
            read = export_places(hook.conn_type, self.esp_conn_id, self.collections)
        return operator_lineage(read, [file_place(self.path, (self.ended_with or {}).get("rows"))])

    def _told(self, rows: Iterable[R]) -> Iterator[R]:
        """Hand rows on, and log a line every few seconds."""
        began = told = time.monotonic()
        for number, row in enumerate(rows, 1):
            if number % 1000 == 0 and (now := time.monotonic()) - told >= EVERY:
                told = now
                self.log.info("%s rows read, %s a second", f"{number:,}", f"{number / (now - began):,.0f}")
            yield row


class PeriodOperator(ExportOperator):
    """An export of what happened in a period.

    :param start: where it begins, as a time or as text (``2026-01-31``, ``2026-01-31T12:00:00+00:00``); without a zone
        it is in the connection's ``timezone``. None for the beginning of the run's data interval. Templated.
    :param end: where it ends, which does not belong to it; None for the end of the data interval. Templated.
    """

    template_fields: Sequence[str] = (*ExportOperator.template_fields, "start", "end")

    def __init__(
        self,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        **kwargs: Unpack[ExportArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.end = end

    def period(self, context: Context, hook: EspHook) -> Period:
        """Work the period out.

        :raises ValueError: there is none, or it is empty.
        """
        from airflow_provider_esp.core.export.schema import Period

        start = _moment(self.start, hook) or context.get("data_interval_start")
        end = _moment(self.end, hook) or context.get("data_interval_end")
        if start is None or end is None or end <= start:
            raise ValueError(
                f"There is no period from {start} to {end}. Give start= and end=, or a schedule whose runs have a data "
                "interval: since Airflow 3 a cron expression alone has none (CronDataIntervalTimetable has), and "
                "neither has a run that was started by hand."
            )
        found = Period(start.astimezone(UTC), end.astimezone(UTC))
        if found.end > datetime.now(UTC):
            self.log.warning("The period ends in the future: what happens until then is not in the file.")
        return found


class ExportActivityOperator(PeriodOperator):
    """Write what people did with messages in a period to a file: delivered, read, clicked, unsubscribed, complained.

    At eSputnik this is `GET v2/contacts/activity`, which its support switches on for an account. The cursor is
    followed; where it misbehaves, ever shorter periods are read. SendPulse has no such list. Columns:
    `docs/exports.md`.

    :param esp_conn_id: the Airflow connection. Templated.
    :param path: where the file goes. Templated.
    :param start: of the period; None for the data interval's. Templated.
    :param end: of the period; None for the data interval's. Templated.
    :param statuses: only these; empty for all.
    :param message_tag: only of messages with this tag. Templated.
    :param addresses: whether the file has people's addresses; if not, the columns ``address`` and ``view_link`` are
        empty, and ``reason`` is without what looks like one.
    :returns: ``path``, ``format``, ``rows``, ``bytes``, ``sha256``, ``start``, ``end``, and ``statuses``: rows by
        status.
    """

    template_fields: Sequence[str] = (*PeriodOperator.template_fields, "message_tag")
    collections = ("activity",)

    def __init__(
        self,
        *,
        statuses: Sequence[Status] = (),
        message_tag: str | None = None,
        addresses: bool = True,
        **kwargs: Unpack[PeriodArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.statuses = statuses
        self.message_tag = message_tag
        self.addresses = addresses

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Read and write."""
        from airflow_provider_esp.core.export.schema import ActivityRow
        from airflow_provider_esp.utils.redaction import shown_counts

        with final_errors(), self.hook() as hook:
            self.prepare()
            period = self.period(context, hook)
            pages = hook.adapter.exporter().activity(
                period, statuses=self.statuses, message_tag=self.message_tag or None
            )
            hook.check_access("activity")
            self.log.info("Reading the activity from %s to %s UTC.", *map(_clock, (period.start, period.end)))
            counts: Counter[str] = Counter()

            def count(row: ActivityRow) -> None:
                counts[row.status] += 1

            rows: Iterator[ActivityRow] = hook.iterate(pages)
            summary = self.write(rows if self.addresses else map(_without_addresses, rows), ActivityRow, count)
        statuses = Counter(shown_counts(counts))
        self.log.info("%s", _table("By status:", statuses))
        told = {"start": period.start.isoformat(), "end": period.end.isoformat()}
        return {**summary, **told, "statuses": dict(statuses)}


class ExportContactsOperator(ExportOperator):
    """Write the contacts of a segment, or of the account, to a file: addresses and fields as the service has them.

    At eSputnik `GET v1/group/{id}/contacts`; for the whole account `GET v1/contacts`, which shows no postal address,
    segments and external id. At SendPulse `GET addressbooks/{id}/emails`, of one mailing list or of all. What changes
    while it is read may be missed: the services cut their pages by position. Columns: `docs/exports.md`.

    :param esp_conn_id: the Airflow connection. Templated.
    :param path: where the file goes. Templated.
    :param segment: a segment (SendPulse: mailing list) by name or id; None for the whole account. Templated.
    :returns: ``path``, ``format``, ``rows``, ``bytes``, ``sha256``.
    """

    template_fields: Sequence[str] = (*ExportOperator.template_fields, "segment")
    collections = ("contacts",)

    def __init__(self, *, segment: str | int | None = None, **kwargs: Unpack[ExportArguments]) -> None:
        super().__init__(**kwargs)
        self.segment = segment

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Read and write."""
        from airflow_provider_esp.core.export.schema import ContactRow

        with final_errors(), self.hook() as hook:
            self.prepare()
            hook.check_access("contacts")
            segment = None if self.segment in (None, "") else str(self.segment)
            rows: Iterator[ContactRow] = hook.iterate(hook.adapter.exporter().contacts(segment))
            return self.write(rows, ContactRow)


class ExportBroadcastStatsOperator(PeriodOperator):
    """Write how broadcasts (SendPulse: campaigns) went to a file: sent, delivered, read, clicked, unsubscribed.

    SendPulse has figures of its own (`GET campaigns`). At eSputnik people are counted from the activity of the period,
    each once for each status. Columns: `docs/exports.md`.

    :param esp_conn_id: the Airflow connection. Templated.
    :param path: where the file goes. Templated.
    :param broadcast_ids: an id or several (also through an XCom); None for those that start in the period, and at
        eSputnik all that something happened with in it. Templated.
    :param start: of the period; None for the data interval's. Templated.
    :param end: of the period; None for the data interval's. Templated.
    :returns: ``path``, ``format``, ``rows``, ``bytes``, ``sha256``, and the sum of each figure.
    """

    template_fields: Sequence[str] = (*PeriodOperator.template_fields, "broadcast_ids")
    collections = ("broadcasts",)

    def __init__(self, *, broadcast_ids: Any = None, **kwargs: Unpack[PeriodArguments]) -> None:
        super().__init__(**kwargs)
        self.broadcast_ids = broadcast_ids

    @tells_outlets
    def execute(self, context: Context) -> dict[str, Any]:
        """Read, count and write."""
        from airflow_provider_esp.core.export.schema import BroadcastStatsRow

        sums: Counter[str] = Counter()

        def add(row: BroadcastStatsRow) -> None:
            sums.update({name: getattr(row, name) or 0 for name in _FIGURES})

        with final_errors(), self.hook() as hook:
            self.prepare()
            exports = hook.adapter.exporter()
            wanted = self._wanted()
            # A service's own figures of the campaigns that are asked for by id are those of all time.
            period = None if exports.counts_broadcasts and wanted else self.period(context, hook)
            hook.check_access(*(("broadcasts",) if exports.counts_broadcasts else ("activity", "broadcasts")))
            rows = self._rows(hook, exports, wanted, period)
            summary = self.write(rows, BroadcastStatsRow, add)
        return {**summary, **{name: sums[name] for name in _FIGURES}}

    def _rows(
        self, hook: EspHook, exports: Exporter, wanted: frozenset[str], period: Period | None
    ) -> Iterator[BroadcastStatsRow]:
        """Read the broadcasts, with figures.

        :raises ObjectNotFound: one that is asked for is not in the service's list.
        """
        from airflow_provider_esp.core.broadcasts.stats import count_people, of_broadcasts, with_counts
        from airflow_provider_esp.exceptions import ObjectNotFound

        # Counted first: what somebody creates meanwhile is then in the list.
        counts = {}
        if not exports.counts_broadcasts and period is not None:
            counts = count_people(self._told(hook.iterate(exports.activity(period))), of_broadcasts(wanted))
        listed: Iterable[BroadcastStatsRow] = hook.iterate(exports.broadcasts())
        if period is not None and not exports.counts_broadcasts:
            listed = with_counts(listed, counts, period, hook.service.name)
        missing = set(wanted)
        for row in listed:
            missing.discard(row.broadcast_id)
            if row.broadcast_id in (wanted or counts) or (not wanted and _starts_in(row, period)):
                yield row
        if missing:
            raise ObjectNotFound(
                f"{hook.service.title} lists no broadcast {', '.join(sorted(missing)[:5])}: correct broadcast_ids=."
            )

    def _wanted(self) -> frozenset[str]:
        given = self.broadcast_ids
        if given in (None, "", []):
            return frozenset()
        return frozenset([str(given)] if isinstance(given, str | int) else map(str, given))


_FIGURES = ("sent", "delivered", "undelivered", "read", "clicked", "unsubscribed", "complained")


def _starts_in(row: BroadcastStatsRow, period: Period | None) -> bool:
    return period is not None and row.starts_at is not None and period.holds(row.starts_at)


def _without_addresses(row: ActivityRow) -> ActivityRow:
    from msgspec.structs import replace

    from airflow_provider_esp.utils.redaction import redact

    return replace(row, address=None, view_link=None, reason=None if row.reason is None else redact(row.reason))


def _moment(value: datetime | str | None, hook: EspHook) -> datetime | None:
    """Read a moment as an author writes it: without a zone it is on the account's clock.

    :raises ValueError: it is no moment.
    """
    if value is None or value == "":
        return None
    try:
        told = value if isinstance(value, datetime) else datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"{value!r} is no time; write it as 2026-01-31 or 2026-01-31T12:00:00+00:00.") from None
    return told if told.tzinfo else told.replace(tzinfo=hook.settings.timezone)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _table(title: str, counts: Counter[str]) -> str:
    lines = [title, *(f"  {name[:24]:<24} {number:>12,}" for name, number in counts.most_common())]
    return "\n".join(lines) if counts else f"{title} nothing happened."
