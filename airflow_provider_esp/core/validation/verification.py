"""Who is left out after a verification: everybody whom it did not find to be what the author accepts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from airflow_provider_esp.core.export.schema import VerifiedRow
from airflow_provider_esp.core.validation.key_set import CompactKeySet
from airflow_provider_esp.core.validation.mapper import same_key

STATUSES = ("valid", "unconfirmed", "unverified")
"""What an author may accept. An address that the service calls invalid is never accepted."""


def left_out(
    results: Iterable[VerifiedRow], addresses: Iterable[VerifiedRow], accept: Collection[str], counts: Counter[str]
) -> Iterator[VerifiedRow]:
    """Hand out those who are left out.

    An address of which there is no result was not verified; a status that is not known here is not accepted.

    :param results: what was found.
    :param addresses: everybody in the list, read after the results.
    :param accept: statuses that are good enough.
    :param counts: gets the number of addresses by status.
    """
    met = CompactKeySet()
    for rows in (results, addresses):
        for row in rows:
            if met.add(same_key(row.email)):
                counts[row.status] += 1
                if row.status not in accept:
                    yield row
