"""Contacts by column say the same as contacts one by one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from airflow_provider_esp.core.contact_columns import ContactColumns
from airflow_provider_esp.core.models import STANDARD_FIELDS, Contact
from airflow_provider_esp.services.esputnik.api import bulk
from airflow_provider_esp.services.esputnik.mapping import contacts as contact_mapping

IDS = {"LOYALTY.TIER": 7, "LOYALTY.POINTS": 8}
texts = st.text(max_size=8)
cells = st.one_of(st.just(UNSET), st.none(), texts)


def contacts_with(fields: dict[str, st.SearchStrategy[Any]], custom: dict[str, st.SearchStrategy[Any]]) -> Any:
    return st.builds(
        lambda given, extra: Contact(**given, custom={k: v for k, v in extra.items() if v is not UNSET}),
        st.fixed_dictionaries(fields),
        st.fixed_dictionaries(custom),
    )


anybody = contacts_with(dict.fromkeys(STANDARD_FIELDS, cells), dict.fromkeys(IDS, cells))


@given(st.lists(anybody, max_size=6))
def test_contacts_come_back_from_columns_as_they_were(contacts: list[Contact]) -> None:
    assert ContactColumns.of(contacts).contacts() == contacts


@given(st.lists(anybody, min_size=1, max_size=6), st.data())
def test_taking_some_is_the_same_by_column_and_one_by_one(contacts: list[Contact], data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, len(contacts) - 1), max_size=6))
    columns = ContactColumns.of(contacts)
    assert columns.take(positions).contacts() == [contacts[at] for at in positions]
    start = data.draw(st.integers(0, len(contacts)))
    assert columns.part(start, len(contacts)).contacts() == contacts[start:]


@given(st.lists(anybody, max_size=12))
def test_a_group_carries_one_set_of_fields_and_nobody_is_left_out(contacts: list[Contact]) -> None:
    groups = ContactColumns.of(contacts).by_fields()
    assert sorted(at for group in groups for at in group) == list(range(len(contacts)))
    assert len({contact_mapping.carried(contacts[group[0]]) for group in groups}) == len(groups)
    assert all(len({contact_mapping.carried(contacts[at]) for at in group}) == 1 for group in groups)


@given(st.lists(anybody, min_size=1, max_size=12))
def test_the_bulk_update_writes_what_single_contacts_write(contacts: list[Contact]) -> None:
    columns = ContactColumns.of(contacts)
    for group in columns.by_fields():
        ours = bulk.encode_contacts(columns.take(group).carried(), IDS).json
        single = msgspec.json.encode([contact_mapping.contact_wire(contacts[at], IDS) for at in group])
        assert [_sorted(row) for row in msgspec.json.decode(ours)] == [
            _sorted(row) for row in msgspec.json.decode(single)
        ]


def _sorted(row: dict[str, Any]) -> dict[str, Any]:
    # Additional fields are a set: each contact lists them in the order in which it came to them.
    return {**row, "fields": sorted(row.get("fields", []), key=lambda field: field["id"])}


def test_contacts_that_carry_different_fields_are_not_taken_for_one_group() -> None:
    columns = ContactColumns.of([Contact(email="a@b.example", town="Kyiv"), Contact(email="c@d.example")])
    with pytest.raises(ValueError, match="1 of 2 contacts do not carry 'town'"):
        columns.carried()


def test_a_repr_shows_fields_and_nobody() -> None:
    assert repr(ContactColumns.of([Contact(email="ann@example.com")])) == "<1 contacts with email>"


def test_a_column_without_a_gap_is_carried_even_where_one_was_feared() -> None:
    columns = ContactColumns(2, {"email": ["a@b.example", "c@d.example"], "town": [None, "Kyiv"]}, {}, {"town"})
    assert list(columns.carried().standard) == ["email", "town"]
