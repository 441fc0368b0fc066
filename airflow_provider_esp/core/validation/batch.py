"""A batch of source rows becomes contacts by column, and the rows that cannot be sent, with the reason.

Every rule is applied to a whole column at once; only the values that do not pass are looked at one by one. That makes
checking about as cheap as reading, so nobody has to switch it off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import UNSET

from airflow_provider_esp.core.contact_columns import Column, ContactColumns, FieldRule
from airflow_provider_esp.core.models import STANDARD_FIELDS
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table, TextBlock
from airflow_provider_esp.core.validation.field_rules import Rule, rule_of, standard_rules
from airflow_provider_esp.core.validation.mapper import BlankValues, same_key, targets_of
from airflow_provider_esp.core.validation.values import ValueRules
from airflow_provider_esp.exceptions import ColumnError, InvalidValue
from airflow_provider_esp.utils.characters import control_character, hidden_character

_ADDRESSES = ("email", "phone")
"""Fields whose own rules say what is wrong with a character."""


@dataclass(slots=True)
class ValidatedBatch:
    """A batch after checking.

    :param contacts: those that can be sent.
    :param rows: number of the source row of each.
    :param keys: what each is known by; no two are the same.
    :param values: the source row of each.
    :param invalid: (row number, source row, reason).
    :param duplicates: (row number, source row, key, number of the row that it duplicates).
    :param suppressed: (row number, source row, key, reason): people the author leaves out, see `suppression.py`.
    """

    contacts: ContactColumns
    rows: Sequence[int]
    keys: Sequence[str]
    values: Sequence[Sequence[Any]]
    invalid: list[tuple[int, Sequence[Any], str]] = field(default_factory=list)
    duplicates: list[tuple[int, Sequence[Any], str, int]] = field(default_factory=list)
    suppressed: list[tuple[int, Sequence[Any], str, str]] = field(default_factory=list)


class Checker(Protocol):
    """What checks the batches of an upload."""

    def check(self, first_row: int, rows: Sequence[Sequence[Any]]) -> ValidatedBatch:
        """Check rows that follow each other.

        :param first_row: number of the first.
        """


class BatchValidator:
    """Turns batches of rows into contacts.

    :param table: whose columns the rows have.
    :param columns: source column to contact field; None where the columns are called like the fields.
    :param identity: the fields by which the service knows a contact; one of them must be there.
    :param blank_values: ``keep`` leaves what a blank cell names alone, ``clear`` empties it.
    :param rules: what the service asks of single fields, besides what all do.
    :param values: how values are read; None for what holds where nothing is said.
    :raises ColumnError: a column is unknown, named twice, or none identifies a contact.
    """

    def __init__(
        self,
        table: Table,
        columns: Mapping[str, str] | None,
        identity: Sequence[str],
        blank_values: BlankValues = "keep",
        rules: Mapping[str, FieldRule] | None = None,
        *,
        values: ValueRules | None = None,
    ) -> None:
        self.values = values or ValueRules()
        self._targets = targets_of(table, columns)
        table.use(name for _, name, _ in self._targets)
        self._width = len(table.columns)
        self._identity = tuple(identity)
        self._blank = None if blank_values == "clear" else UNSET
        names = {field_name: name for _, name, field_name in self._targets}
        self._rules = standard_rules(names, self.values, self._identity)
        self._rules |= {
            field_name: rule_of(asked, names[field_name], self.values.zone)
            for field_name, asked in (rules or {}).items()
            if field_name in names
        }
        if table.columns and not {name for _, _, name in self._targets} & set(identity):
            raise ColumnError(f"{table.origin}: no column is {' or '.join(identity)}, which tells whose row it is.")

    def check(self, first_row: int, rows: Sequence[Sequence[Any]]) -> ValidatedBatch:
        """Check rows that follow each other.

        :param first_row: number of the first.
        """
        numbers: Sequence[int] = range(first_row, first_row + len(rows))
        invalid: list[tuple[int, Sequence[Any], str]] = []
        cells: Sequence[Sequence[Any]]
        if isinstance(rows, TextBlock):
            cells = rows.columns
        else:
            if BadRow in set(map(type, rows)):
                numbered = list(zip(numbers, rows, strict=True))
                invalid = [(number, row, row.reason) for number, row in numbered if type(row) is BadRow]
                numbers = [number for number, row in numbered if type(row) is not BadRow]
                rows = [row for row in rows if type(row) is not BadRow]
            cells = list(zip(*rows, strict=True)) if rows else [()] * self._width
        reasons: dict[int, str] = {}
        standard: dict[str, Column] = {}
        custom: dict[str, Column] = {}
        gaps: set[str] = set()
        for at, name, field_name in self._targets:
            all_text = isinstance(rows, TextBlock) or set(map(type, cells[at])) <= {str}
            column, whole = self._column(cells[at], all_text, name, field_name, reasons)
            (standard if field_name in STANDARD_FIELDS else custom)[field_name] = column
            if not whole:
                gaps.add(field_name)
        contacts = ContactColumns(len(rows), standard, custom, gaps)
        keys = self._keys(contacts, reasons)
        kept = self._last_of_each(keys, reasons)
        duplicates = []
        if len(kept) < len(rows):
            stands = {keys[position]: position for position in kept}
            invalid += [(numbers[at], rows[at], reason) for at, reason in reasons.items()]
            staying = set(kept)
            duplicates = [
                (numbers[at], rows[at], keys[at], numbers[stands[keys[at]]])
                for at in range(len(rows))
                if at not in reasons and at not in staying
            ]
            contacts = contacts.take(kept)
            numbers, keys = [numbers[at] for at in kept], [keys[at] for at in kept]
            rows = [rows[at] for at in kept]
        return ValidatedBatch(contacts, numbers, keys, rows, sorted(invalid, key=lambda item: item[0]), duplicates)

    def _column(
        self, cells: Sequence[Any], all_text: bool, name: str, field_name: str, reasons: dict[int, str]
    ) -> tuple[Column, bool]:
        """Bring a column into the form that the services take, and note which rows cannot be sent.

        :param all_text: whether all of its cells are text.
        :returns: the column, and whether every row carries it.
        """
        blank = UNSET if field_name in self._identity else self._blank
        rule = self._rules.get(field_name)
        if all_text and _is_tidy(cells):
            column = list(cells)
        else:
            column = list(map(str.strip, cells)) if all_text else self._spelled(cells, name, rule, reasons)
            self._tidy(column, name, field_name, reasons)
        if rule is not None and not (all_text and rule.accepts(column)):
            self._settle(column, rule, reasons)
        if "" in column:
            column = [blank if value == "" else value for value in column]
            return column, blank is None and all_text
        return column, all_text

    def _spelled(self, cells: Sequence[Any], name: str, rule: Rule | None, reasons: dict[int, str]) -> list[Any]:
        """Spell values of any type as text: blank ones as "", missing ones as `UNSET`."""
        spell = self.values.spelled if rule is None else rule.spell
        column: list[Any] = []
        for position, value in enumerate(cells):
            try:
                column.append(UNSET if value is MISSING else spell(value, name) or "")
            except InvalidValue as reason:
                reasons.setdefault(position, str(reason))
                column.append(UNSET)
        return column

    def _tidy(self, column: list[Any], name: str, field_name: str, reasons: dict[int, str]) -> None:
        """Clean texts of characters that nobody sees, or refuse those that no service keeps or that hide another id."""
        try:
            if "".join(column).isprintable():
                return
        except TypeError:  # some are missing
            pass
        is_id = field_name == "external_id" or field_name in self._identity
        find = hidden_character if is_id else control_character
        for position, value in enumerate(column):
            if not isinstance(value, str) or value.isprintable():
                continue
            if self.values.clean_text:
                column[position] = self.values.cleaned(value, name, one_line=field_name in STANDARD_FIELDS)
            elif field_name not in _ADDRESSES and (problem := find(value)) is not None:
                reasons.setdefault(position, f"column {name!r} holds {problem}")

    def _settle(self, column: list[Any], rule: Rule, reasons: dict[int, str]) -> None:
        ordinary, normalize = rule.ordinary, rule.normalize
        for position, value in enumerate(column):
            if isinstance(value, str) and value and not ordinary(value):
                try:
                    column[position] = normalize(value)
                except InvalidValue as reason:
                    reasons.setdefault(position, str(reason))

    def _keys(self, contacts: ContactColumns, reasons: dict[int, str]) -> Sequence[str]:
        """Return what each contact is known by; note the rows that nothing identifies."""
        columns = {**contacts.standard, **contacts.custom}
        found = [columns[name] for name in self._identity if name in columns]
        if len(found) == 1 and contacts.gaps.isdisjoint(self._identity):
            # An e-mail address is known by its lower-case form; for a whole column that is one call.
            keys = list(map(str.lower if self._identity == ("email",) else same_key, found[0]))
            return found[0] if keys == found[0] else keys  # kept until an import has ended, so not twice
        keys = []
        for position, values in enumerate(zip(*found, strict=True)):
            value = next((value for value in values if value is not UNSET), None)
            if value is None:
                reasons.setdefault(position, f"no {' or '.join(self._identity)}")
            keys.append("" if value is None else same_key(value))
        return keys

    def _last_of_each(self, keys: Sequence[str], reasons: Mapping[int, str]) -> Sequence[int]:
        """Return the positions that stay: of several rows for one person the last, in the order of the rows."""
        if not reasons:
            last = dict(zip(keys, range(len(keys)), strict=True))
            return range(len(keys)) if len(last) == len(keys) else sorted(last.values())
        last = {key: position for position, key in enumerate(keys) if position not in reasons}
        return sorted(last.values())


def _is_tidy(cells: Sequence[str]) -> bool:
    """Check whether texts have nothing that is stripped or cleaned: of all blanks, only the space is printable."""
    joined = "".join(cells)
    return " " not in joined and joined.isprintable()
