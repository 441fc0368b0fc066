"""What a sync says of its plan: counts, names of changed fields, and a few samples that nobody can be recognised in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.sync.comparing import Comparison, Pair
from airflow_provider_esp.core.sync.entries import unpack
from airflow_provider_esp.core.sync.keys import StateKey
from airflow_provider_esp.core.sync.plan import Plan, Work
from airflow_provider_esp.core.sync.sending import field_marks

_SHOWN: Final = 3
_WRITTEN: Final = 1000
_TOLD: Final = tuple(work for work in Work if work is not Work.ABSENT)


@dataclass
class PlanNotes:
    """Notes what a plan decides.

    :param key: the sync's secret.
    :param comparison: with the rows.
    :param fields: names of the columns that are used, in their order.
    :ivar changed_fields: how many rows changed in each.
    """

    key: StateKey
    comparison: Comparison
    fields: Sequence[str]
    changed_fields: Counter[str] = field(default_factory=Counter)
    _samples: dict[Work, list[tuple[int, str, list[str]]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, work: Work, pair: Pair) -> None:
        """Take note of one decision."""
        changed: list[str] = []
        if work is Work.CHANGED and pair.entry is not None:
            before = unpack(pair.entry).marks
            now = field_marks(self.key, pair.key, self.comparison.values(pair.place)[:-1])
            changed = [
                name
                for name, old, new in zip(self.fields, before, now, strict=False)
                if old != new and len(before) == len(now)
            ]
            self.changed_fields.update(changed)
        samples = self._samples[work]
        if len(samples) < _WRITTEN:
            samples.append((pair.number, self._name(pair), changed))

    def _name(self, pair: Pair) -> str:
        if pair.row is not None:
            return str(self.comparison.values(pair.place)[-1])
        handle = b"" if pair.entry is None else unpack(pair.entry).handle
        return self.key.open(handle).partition(":")[2] if handle else ""

    def table(self, plan: Plan, before_held: int, why_everything: str) -> str:
        """Draw the plan."""
        lines = ["Plan of the sync:", *(f"  {work.value:<12} {plan.counts[work]:>12,}" for work in _TOLD)]
        lines.append(f"  {'held before':<12} {before_held:>12,}")
        if why_everything:
            lines.append(f"Everything is sent again: {why_everything}.")
        if plan.on_trial:
            lines.append(f"On trial: the first {plan.limit:,} of these rows are sent, and nobody is taken out.")
        if self.changed_fields:
            named = ", ".join(f"{name} ({rows:,})" for name, rows in self.changed_fields.most_common(10))
            lines.append(f"Changed fields: {named}")
        for work, samples in sorted(self._samples.items()):
            shown = [
                f"{masked(name)}{f' ({chr(44).join(fields)})' if fields else ''}"
                for _, name, fields in samples[:_SHOWN]
            ]
            lines.append(f"  {work.value}, e.g. {'; '.join(shown)}")
        return "\n".join(lines)

    def write(self, report: Report) -> None:
        """Write the samples into the report, which is where names may stand."""
        for work, samples in self._samples.items():
            rows = [RowReport(number, work.value, name, ", ".join(fields)) for number, name, fields in samples]
            report.write(rows[0].row, "00", f"plan{work.value.replace('_', '')}", rows)


def masked(name: str) -> str:
    """Return a name in which nobody can be recognised: its first character, and of an address its last part."""
    if not name:
        return "(no name)"
    return f"{name[0]}***" + (f"@***.{name.rpartition('.')[2]}" if "@" in name and "." in name else "")


def plan_counts(plan: Plan) -> dict[str, Any]:
    """Return the plan's counts for the task's result."""
    return {work.value: plan.counts[work] for work in _TOLD}


Note = Callable[[Work, Pair], None]
