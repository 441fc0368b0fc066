"""What the values of a field must be, and how one that is right but for its spelling is written."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_esp.core.contact_columns import FieldKind, FieldRule
from airflow_provider_esp.core.validation.addresses import email_address, ordinary_email
from airflow_provider_esp.core.validation.numbering_plans import possible_number
from airflow_provider_esp.core.validation.values import (
    ValueRules,
    in_zone,
    is_no_date,
    phone_value,
    text,
    without_zeros,
)
from airflow_provider_esp.exceptions import InvalidValue
from airflow_provider_esp.utils.characters import hidden_character

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?", re.DOTALL).fullmatch
_EXACT_ID = re.compile(r"(?![0-9]++\.0++\Z).*+", re.DOTALL).fullmatch


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field's values must be.

    :param ordinary: takes a value that certainly is right (anything true), quickly.
    :param normalize: gives the value as it is sent, "" for a blank one, or raises `InvalidValue`.
    :param spell: gives a value of any type as text, None for a blank one, or raises `InvalidValue`.
    :param repeats: whether many have the same value, so that each need be looked at once only.
    :param suspect: what each value that is not ordinary has in it; "" for nothing.
    """

    ordinary: Callable[[str], object]
    normalize: Callable[[str], str]
    spell: Callable[[object, str], str | None]
    repeats: bool = True
    suspect: str = ""

    def accepts(self, column: Sequence[str]) -> bool:
        """Check whether all values of a column are ordinary."""
        if self.suspect and self.suspect not in "".join(column):
            return True
        return all(map(self.ordinary, set(column) if self.repeats else column))


def standard_rules(names: Mapping[str, str], values: ValueRules, identity: Sequence[str]) -> dict[str, Rule]:
    """Return the rules that every service has.

    :param names: source column by field, of the fields that occur.
    :param values: how values are read.
    :param identity: the fields by which contacts are known.
    """
    rules: dict[str, Rule] = {}
    if "email" in names:
        rules["email"] = Rule(ordinary_email, email_address, values.spelled, repeats=False)
    if "phone" in names:
        column, quickly = names["phone"], values.phones.quick_reader()
        rules["phone"] = Rule(
            possible_number(),
            lambda value: quickly(value) or values.settled_phone(value, column),
            lambda value, name: values.spelled(phone_value(value), name, whole=True),
            repeats=False,
        )
    for field in {"external_id", *identity} - {"email", "phone"}:
        if field in names:
            rules[field] = _id_rule(names[field], values)
    return rules


def _id_rule(column: str, values: ValueRules) -> Rule:
    return Rule(
        _EXACT_ID,
        lambda value: values.settled_id(value, column),
        lambda value, name: values.spelled(value, name, whole=True),
        repeats=False,
        suspect=".0",
    )


def rule_of(asked: FieldRule, column: str, zone: datetime.tzinfo | None) -> Rule:
    """Return the rule of what a service asks of a field.

    :param column: the source column.
    :param zone: the account's, in which moments are written.
    """
    matches = re.compile(asked.pattern, re.DOTALL).fullmatch

    def normalize(value: str) -> str:
        spelled = _respelled(value, asked.kind, zone)
        if not spelled or matches(spelled):
            return spelled
        if (hidden := hidden_character(spelled)) is not None:
            raise InvalidValue(f"column {column!r} holds {hidden}")
        reason = asked.reason if asked.explain is None else asked.explain(spelled)
        if reason is None:
            return spelled
        raise InvalidValue(reason)

    return Rule(matches, normalize, lambda value, name: text(value, name, zone))


def _respelled(value: str, kind: FieldKind, zone: datetime.tzinfo | None) -> str:
    """Write a value as a field of its kind takes it, "" for a blank one; what cannot be read stays what it is."""
    match kind:
        case "whole":
            return without_zeros(value)
        case "date":
            return _date(value, zone)
        case "datetime":
            return _moment(value, zone)
    return value


def _date(value: str, zone: datetime.tzinfo | None) -> str:
    """Write a midnight as the date that it stands for, on the account's clock."""
    moment = _parsed(value)
    if moment is None:
        return "" if is_no_date(value) else value
    moment = in_zone(moment, zone)
    return moment.date().isoformat() if moment.time() == datetime.time() else value


def _moment(value: str, zone: datetime.tzinfo | None) -> str:
    """Write a moment on the account's clock: to the second, or to the minute where it has none."""
    moment = _parsed(value)
    if moment is None:
        return "" if is_no_date(value) else value
    moment = in_zone(moment, zone).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")


def _parsed(value: str) -> datetime.datetime | None:
    if not _MOMENT(value):
        return None
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
