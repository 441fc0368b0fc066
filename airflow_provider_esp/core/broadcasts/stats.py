"""Counting how broadcasts went where the service has no figures: people by status, out of the account's activity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from airflow_provider_esp.core.export.schema import ActivityRow, BroadcastStatsRow, Period
from airflow_provider_esp.core.export.sorting import Sorter

_SENT = ("delivered", "undelivered")
_COUNTED = ("sent", *_SENT, "read", "clicked", "unsubscribed", "complained")


def count_people(rows: Iterable[ActivityRow], group: Callable[[ActivityRow], str | None]) -> dict[str, Counter[str]]:
    """Count people by what a row belongs to and by status, each person once for each status.

    They are sorted on the worker's disk, so that memory does not grow with them.

    :param group: says what a row belongs to, e.g. its broadcast; None leaves it out.
    :returns: by group; ``sent`` is who has the message and whom it did not reach.
    """
    encoder = msgspec.json.Encoder()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with Sorter() as sorter:
        for row in rows:
            name = group(row)
            if name is None:
                continue
            person = row.contact_id or row.address or row.interaction_id
            for status in (row.status, "sent") if row.status in _SENT else (row.status,):
                sorter.add(encoder.encode((name, status, person)))
        decoder = msgspec.json.Decoder(tuple[str, str, str | None])
        for line in sorter:
            name, status, _ = decoder.decode(line)
            counts[name][status] += 1
    return dict(counts)


def of_broadcasts(wanted: Collection[str] = ()) -> Callable[[ActivityRow], str | None]:
    """Return the `group` of `count_people` that is a row's broadcast.

    :param wanted: ids of broadcasts; empty for all.
    """

    def broadcast(row: ActivityRow) -> str | None:
        found = row.broadcast_id
        return None if found == "0" or (wanted and found not in wanted) else found

    return broadcast


def with_counts(
    listed: Iterable[BroadcastStatsRow], counts: Mapping[str, Mapping[str, int]], period: Period, service: str
) -> Iterator[BroadcastStatsRow]:
    """Put the counts to the broadcasts that the service lists; one that it does not list any more has no name."""
    left = dict(counts)
    for row in listed:
        yield _counted(row, left.pop(row.broadcast_id, {}), period)
    for broadcast_id, numbers in left.items():
        unlisted = BroadcastStatsRow(broadcast_id=broadcast_id, counted_from="activity", service=service)
        yield _counted(unlisted, numbers, period)


def _counted(row: BroadcastStatsRow, numbers: Mapping[str, int], period: Period) -> BroadcastStatsRow:
    figures = {name: numbers.get(name, 0) for name in _COUNTED}
    return msgspec.structs.replace(row, **figures, period_start=period.start, period_end=period.end)
