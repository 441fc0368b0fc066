"""By what a person finds a row again that a report speaks of: the source's key, or the address as it stood there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_esp.core.readers.table import MISSING, BadRow, text_column

_MOST_CHARACTERS = 500
_USUAL = ("email", "phone", "external_id")


class RowKeys:
    """Names rows of a table.

    :param columns: the table's.
    :param key: the column that the author named as the source's key; None where there is none.
    :param identity: columns that tell whose a row is: the first one with a value names it.
    """

    def __init__(self, columns: Sequence[str], key: str | None, identity: Iterable[str]) -> None:
        names = (key,) if key in columns else tuple(dict.fromkeys(identity))
        self._positions = [columns.index(name) for name in names if name is not None and name in columns]

    def __call__(self, row: Sequence[Any]) -> str | None:
        """Return what names a row, as its source has it; None where nothing does."""
        if isinstance(row, BadRow):
            return None
        for position in self._positions:
            value = row[position]
            if value is not None and value is not MISSING and (text := str(value).strip()):
                return text[:_MOST_CHARACTERS]
        return None

    def of_all(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | None]:
        """Return what names each of some rows."""
        names: list[str | None] = [None] * len(rows)
        for position in self._positions:
            column = text_column(rows, position)
            if column is None:
                return list(map(self, rows))
            texts = list(map(str.strip, column))
            if max(map(len, texts), default=0) > _MOST_CHARACTERS:
                texts = [text[:_MOST_CHARACTERS] for text in texts]
            if position == self._positions[0] and all(texts):
                return texts
            names = [name or text or None for name, text in zip(names, texts, strict=True)]
        return names


def contact_columns(
    table_columns: Sequence[str], columns: Mapping[str, str] | None, identity: Iterable[str]
) -> list[str]:
    """List the columns of an upload's source that tell whose a row is, the ones that decide first.

    :param columns: source column to contact field; None where the columns are called like the fields.
    :param identity: the fields by which the service knows a contact.
    """
    by_field = {
        field: name for name, field in (columns or dict(zip(table_columns, table_columns, strict=True))).items()
    }
    return [by_field[field] for field in dict.fromkeys((*identity, *_USUAL)) if field in by_field]
