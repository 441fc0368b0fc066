"""From exported activity to a funnel: how many recipients of each message got how far.

A recipient is a person and a message: who gets two messages counts twice. Counting sorts on the worker's disk, so a
file may be larger than memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import msgspec

from airflow_provider_esp.core.broadcasts.stats import count_people
from airflow_provider_esp.core.export.schema import ActivityRow

STAGES = ("sent", "delivered", "read", "clicked", "unsubscribed")
"""In the order of the funnel; the last is no step of it, but what it costs."""

_READ_AHEAD = 1 << 20


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a cell begins with that spreadsheets calculate; and the mark against it, so that it can be taken off again."""


class FunnelRow(msgspec.Struct, frozen=True):
    """One stage of one message's funnel: a row of the table that is ready to be plotted.

    :ivar message: its name; without one its id.
    :ivar position: of the stage, from 1.
    :ivar recipients: how many got so far.
    :ivar share_of_sent: from 0 to 1; 0 where nobody was sent it.
    :ivar share_of_previous: of the stage before; for ``unsubscribed`` of the delivered.
    """

    message: str
    stage: str
    position: int
    recipients: int
    share_of_sent: float
    share_of_previous: float


def read_activity(file: IO[bytes]) -> Iterator[ActivityRow]:
    """Read the NDJSON that `ExportActivityOperator` writes, unpacked.

    :param file: opened for bytes; one of Airflow's paths will do.
    """
    decoder = msgspec.json.Decoder(ActivityRow)
    rest = b""
    # In large pieces: not every file of Airflow's can be iterated over, and where it can a line at a time is slow.
    while piece := file.read(_READ_AHEAD):
        *lines, rest = (rest + piece).split(b"\n")
        yield from map(decoder.decode, lines)
    if rest:
        yield decoder.decode(rest)


def funnel(rows: Iterable[ActivityRow]) -> list[FunnelRow]:
    """Count how many recipients of each message got how far; the message with the most recipients first."""
    counts = count_people(rows, _message)
    ranked = sorted(counts, key=lambda message: (-counts[message]["sent"], message))
    return [row for message in ranked for row in stages(message, counts[message])]


def total(rows: Sequence[FunnelRow], name: str = "All messages") -> list[FunnelRow]:
    """Add the funnels of all messages up."""
    sums = {stage: sum(row.recipients for row in rows if row.stage == stage) for stage in STAGES}
    return stages(name, sums)


def stages(message: str, counts: Mapping[str, int]) -> list[FunnelRow]:
    """Make a message's funnel of its counts."""
    found = []
    for position, stage in enumerate(STAGES, 1):
        number, sent = counts.get(stage, 0), counts.get("sent", 0)
        before = "delivered" if stage == "unsubscribed" else STAGES[max(0, position - 2)]
        found.append(
            FunnelRow(message, stage, position, number, _share(number, sent), _share(number, counts.get(before, 0)))
        )
    return found


def as_csv(rows: Iterable[FunnelRow]) -> str:
    """Write a funnel as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in msgspec.structs.fields(FunnelRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _as_text(value) for name, value in msgspec.structs.asdict(row).items()})
    return text.getvalue()


def from_csv(text: str) -> list[FunnelRow]:
    """Read what `as_csv` has written."""
    rows = [{name: _as_written(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]
    return msgspec.convert(rows, list[FunnelRow], strict=False)


def _as_text(value: Any) -> Any:
    """Mark a text that a spreadsheet would take for a formula: messages are named by whoever writes them."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _as_written(value: str) -> str:
    return value[1:] if value.startswith("'") and value[1:].startswith(_FORMULA) else value


def _message(row: ActivityRow) -> str | None:
    return row.message_name or row.message_id


def _share(number: int, whole: int) -> float:
    return round(number / whole, 6) if whole else 0.0
