"""Imports that a service works off in the background: which of our rows are in them, and how they ended."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_provider_esp.core.ledger import OpenImportRecord
from airflow_provider_esp.core.models import Import, ImportState
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.validation.mapper import same_key
from airflow_provider_esp.utils.redaction import redact

_pack = msgspec.msgpack.Encoder().encode
_unpack_keys = msgspec.msgpack.Decoder(list[str]).decode
_unpack_names = msgspec.msgpack.Decoder(list[str | None]).decode

OPEN = "open"
"""Outcome and stage of rows whose import has not ended."""
NOT_NAMED = "the import finished without naming this contact"


class Members:
    """Who is in an import; held packed, because dozens of imports with thousands of contacts may be open at once.

    :param rows: numbers of the source rows.
    :param keys: what each contact is known by.
    :param aliases: columns with other names by which the service may call the contact (its external id, say).
    :param names: what the report calls each, where that is not the key.
    """

    __slots__ = ("_aliases", "_keys", "_names", "rows")

    def __init__(
        self,
        rows: Sequence[int],
        keys: Sequence[str],
        aliases: Sequence[Sequence[Any]] = (),
        names: Sequence[str | None] | None = None,
    ) -> None:
        self.rows: Sequence[int] = rows if isinstance(rows, range) else array("Q", rows)
        self._keys = _pack(list(keys))
        self._names = None if names is None or list(names) == list(keys) else _pack(list(names))
        # What is no text (a field that the contact does not carry, or erases) names nobody.
        self._aliases = [_pack([name if isinstance(name, str) else None for name in names]) for names in aliases]

    @property
    def keys(self) -> list[str]:
        """What each contact is known by."""
        return _unpack_keys(self._keys)

    @property
    def aliases(self) -> list[list[str | None]]:
        """Other names, by column."""
        return [_unpack_names(names) for names in self._aliases]

    def missing(self, done: set[str]) -> list[int]:
        """Return the positions of those that are not among the names."""
        absent = [at for at, key in enumerate(self.keys) if key not in done]
        for names in self.aliases if absent else ():
            absent = [at for at in absent if (name := names[at]) is None or same_key(name) not in done]
        return absent

    def reports(self, outcome: str, positions: Sequence[int], reason: str, import_id: str) -> list[RowReport]:
        """Return report lines for some of the contacts."""
        if not positions:
            return []
        keys, aliases = self.keys, self.aliases
        named = keys if self._names is None else _unpack_names(self._names)
        others = list(zip(*aliases, strict=True)) if aliases else [()] * len(keys)
        all_have = all(None not in names for names in aliases)
        still_open = outcome == OPEN
        return [
            RowReport(
                self.rows[at],
                outcome,
                named[at] or keys[at],
                reason,
                import_id=import_id,
                aliases=[*others[at]] if all_have else [name for name in others[at] if name is not None],
                known_as=keys[at] if still_open and named[at] != keys[at] else None,
            )
            for at in positions
        ]

    @classmethod
    def of(cls, reports: Sequence[RowReport]) -> Members:
        """Read back what `reports` gave."""
        width = max((len(row.aliases) for row in reports), default=0)
        aliases = [[row.aliases[n] if n < len(row.aliases) else None for row in reports] for n in range(width)]
        keys = [row.known_as or row.key or "" for row in reports]
        return cls([row.row for row in reports], keys, aliases, [row.key for row in reports])


@dataclass(slots=True)
class OpenImport:
    """An import whose end is not known yet.

    :param id: the service's id.
    :param rows: how many contacts of ours are in it.
    :param first_row: number of its first row.
    :param digest: of its rows; names the parts of the report.
    :param part: name of the report's part that says who is in it, once handed over.
    :param members: who is in it, while this process knows.
    """

    id: str
    rows: int
    first_row: int
    digest: str
    part: str | None = None
    members: Members | None = field(default=None, repr=False)

    def hand_over(self, report: Report) -> OpenImportRecord:
        """Write down who is in it, for another process.

        :returns: the rest, without any key; `of` takes it back.
        """
        if self.members is not None and self.part is None:
            everybody = range(len(self.members.rows))
            reports = self.members.reports(OPEN, everybody, "", self.id)
            self.part = report.write(self.first_row, self.digest, OPEN, reports)
        return self.record()

    def record(self) -> OpenImportRecord:
        """Return what `hand_over` gave, or would give if nobody in it were written down."""
        return OpenImportRecord(self.id, self.rows, self.first_row, self.digest, self.part)

    @classmethod
    def of(cls, record: OpenImportRecord) -> OpenImport:
        """Take back what another process has handed over."""
        return cls(record.id, record.rows, record.first_row, record.digest, record.part)


def close_import(item: OpenImport, state: Import, counts: Counts, report: Report) -> None:
    """Count what an ended import says of its rows, and report those that it does not name.

    The part that says who is in it stays: it may go once a ledger no longer tells anybody to await this import.

    :param counts: in which the rows stand as accepted so far.
    """
    members = item.members
    if members is None and item.part is not None:
        kept = report.read_if_there(item.part)
        members = Members.of(kept) if len(kept) == item.rows else None
    if state.state is ImportState.FAILED:
        reason = f"the import failed: {redact(state.problem)}".rstrip(": ")
        missing: Sequence[int] = range(item.rows)
    else:
        reason = NOT_NAMED
        done = set(state.done or ())
        if members is None:
            missing = range(max(0, item.rows - len(set(map(same_key, done)))))
        elif done.issuperset(members.keys):
            missing = ()
        else:  # some may be spelled in another way
            missing = members.missing(set(map(same_key, done)))
    counts.move(len(missing), Outcome.ACCEPTED, Outcome.REJECTED)
    if members is None:
        report.count_reason(f"{reason} (not named: there is no report_path)", len(missing))
    else:
        rejected = members.reports(Outcome.REJECTED, missing, reason, item.id)
        report.write(item.first_row, item.digest, "import", rejected)
