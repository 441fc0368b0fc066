"""Who is left out: however an address or number is written, and never because something could not be read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.models import Event, Recipient
from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.table import MISSING, BadRow, Table
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.core.validation.optouts.text import clean, is_blank
from airflow_provider_esp.core.validation.suppression import OneList, SuppressingValidator, Suppression, names_of
from airflow_provider_esp.exceptions import ColumnError, SourceError

ANN, BEN, CID = "ann@example.com", "ben@example.com", "cid@example.com"


def table(columns: Sequence[str], *rows: Any) -> Table:
    return Table(tuple(columns), iter(rows), "optouts.csv")


def of(*values: str) -> Suppression:
    made = Suppression()
    place = made.open("the list")
    for value in values:
        place.take(value)
    return made


def told(taken: OneList) -> tuple[int, int, int]:
    return taken.people, taken.blank, taken.unreadable


def test_an_address_is_known_however_it_is_written() -> None:
    left_out = of("  Ann@Example.COM ")
    assert left_out.reason([ANN]) == "left out: stands in the list"
    assert left_out.reason(["ANN@example.com"])
    assert left_out.reason([BEN]) is None


@pytest.mark.parametrize("written", ["+44 7400 123001", "447400123001", "+44 (7400) 123-001", "00447400123001"])
def test_a_number_is_known_however_it_is_written(written: str) -> None:
    left_out = of(written)
    assert left_out.reason(["+447400123001"])
    assert left_out.reason(["447400123001"])
    assert left_out.reason(["447400123002"]) is None


def test_an_id_that_looks_like_a_number_is_known_as_it_is_written() -> None:
    assert of("00123456789").reason(["00123456789"])
    assert of("Id-7").reason(["Id-7"])
    assert of("Id-7").reason(["id-7"]) is None


def test_somebody_is_left_out_under_any_name() -> None:
    left_out = of("447400123001")
    assert left_out.reason(names_of(Event("bought", email=ANN, phone="+447400123001")))
    assert left_out.reason(names_of(Recipient("447400123001")))
    assert of("c-7").reason(names_of(Recipient(ANN, external_id="c-7")))
    assert left_out.reason(names_of(Event("bought", email=ANN))) is None


def test_the_reason_names_the_place_and_not_the_person() -> None:
    left_out = of(ANN)
    left_out.take_rows(table(["email"], (BEN,)))
    assert left_out.reason([BEN]) == "left out: stands in optouts.csv"
    assert len(left_out) == 2


@given(st.lists(st.text(max_size=8), max_size=20))
def test_whoever_is_taken_in_is_left_out(values: list[str]) -> None:
    left_out = of(*values)
    said = [value for value in values if not is_blank(clean(value))]
    assert all(left_out.reason([value]) for value in said)


# -- tables -------------------------------------------------------------------------------------------------------


def test_the_usual_columns_are_read() -> None:
    left_out = Suppression()
    taken = left_out.take_rows(table(["name", "email", "phone"], ("Ann", ANN, None), ("Ben", MISSING, 447400123001)))
    assert told(taken) == (2, 0, 0)
    assert left_out.reason([ANN])
    assert left_out.reason(["+447400123001"])
    assert left_out.reason(["Ann"]) is None


def test_the_only_column_is_read_whatever_it_is_called() -> None:
    left_out = Suppression()
    left_out.take_rows(table(["who"], (ANN,), ("",)))
    assert left_out.reason([ANN])


def test_of_several_columns_the_named_ones_are_read() -> None:
    left_out = Suppression()
    left_out.take_rows(table(["mail", "boss"], (ANN, BEN)), ["mail", "tel"])
    assert left_out.reason([ANN])
    assert left_out.reason([BEN]) is None


def test_columns_that_name_nobody_are_refused() -> None:
    with pytest.raises(ColumnError, match=r"no column is called .* in the first 1 rows; it has 'who', 'boss'"):
        Suppression().take_rows(table(["who", "boss"], ("Ann", "Ben")))
    with pytest.raises(ColumnError, match=r"no column 'tel'"):
        Suppression().take_rows(table(["email"], (ANN,)), ["tel"])
    assert told(Suppression().take_rows(table(["email", "phone"], ("", None), ("", "")))) == (0, 2, 0)


def test_a_table_without_rows_leaves_nobody_out() -> None:
    left_out = Suppression()
    assert told(left_out.take_rows(table([]))) == told(left_out.take_rows(table(["email"]))) == (0, 0, 0)
    assert left_out.reason([ANN]) is None


@pytest.mark.parametrize("row", [BadRow("line 3 has 1 cells and the header has 2"), (object(),), ("ann@example",)])
def test_a_row_that_cannot_be_read_is_counted_with_its_number(row: Sequence[Any]) -> None:
    taken = Suppression().take_rows(table(["email"], (BEN,), row, ("",)))
    assert (told(taken), taken.unreadable_rows) == ((1, 1, 1), [2])


def test_a_value_that_is_no_address_is_blank_or_names_nobody() -> None:
    taken = Suppression().take_rows(table(["email"], (ANN,), ("n/a",), ("Ben <ben@example.com>",)))
    assert told(taken) == (2, 1, 0)


# -- lists --------------------------------------------------------------------------------------------------------


def test_an_author_may_write_people_down() -> None:
    left_out = Suppression()
    assert left_out.take_given([ANN, "+44 7700 900001", 447700900002], "suppress=").people == 3
    assert left_out.reason(["447700900002"])


@pytest.mark.parametrize("wrong", ["s3://crm/optouts.csv", "optouts.csv", "OPTOUTS.TXT", "optouts.csv.gz"])
def test_a_path_in_a_list_is_not_passed_over(wrong: object) -> None:
    with pytest.raises(
        SourceError, match=r"suppress=: entry 2 is a path\. Name a file by FileSource\(path\)\."
    ) as raised:
        Suppression().take_given([BEN, wrong], "suppress=")
    assert ANN not in str(raised.value)


@pytest.mark.parametrize("wrong", ["unsubscribd", 17, True, object()])
def test_an_entry_of_a_list_that_names_nobody_is_counted(wrong: object) -> None:
    assert told(Suppression().take_given([BEN, wrong], "suppress=")) == (1, 0, 1)


# -- uploads ------------------------------------------------------------------------------------------------------


def checker(rows: Table, left_out: Suppression, identity: Iterable[str] = ("email",)) -> SuppressingValidator:
    return SuppressingValidator(BatchValidator(rows, None, tuple(identity)), left_out)


def test_an_upload_leaves_people_out_after_checking() -> None:
    rows = [(ANN, "+447400123001"), (BEN, "447400123002"), ("nobody", ""), (CID, ""), (BEN.upper(), "")]
    source = table(["email", "phone"], *rows)
    checked = checker(source, of("44 7400 123001", BEN)).check(11, rows)
    assert checked.contacts.standard["email"] == [CID]
    assert (checked.rows, checked.keys, checked.values) == ([14], [CID], [rows[3]])
    assert [(row, key) for row, _, key, _ in checked.suppressed] == [(11, ANN), (15, BEN)]
    assert [row for row, _, _ in checked.invalid] == [13]
    assert [row for row, _, _, _ in checked.duplicates] == [12]


def test_an_upload_by_id_leaves_people_out_by_address_and_by_id() -> None:
    rows = [("c-1", ANN), ("c-2", BEN), ("c-3", CID)]
    source = table(["external_id", "email"], *rows)
    checked = checker(source, of(BEN, "c-3"), ["external_id"]).check(1, rows)
    assert checked.keys == ["c-1"]


def test_an_upload_in_which_nobody_is_left_out_is_what_it_was() -> None:
    rows = [(ANN,), (BEN,)]
    source = table(["email"], *rows)
    plain = BatchValidator(source, None, ("email",)).check(1, rows)
    checked = checker(source, of(CID)).check(1, rows)
    assert (checked.keys, checked.suppressed, list(checked.rows)) == (plain.keys, [], list(plain.rows))


def test_an_upload_from_a_file_that_is_read_by_column_leaves_people_out_as_well() -> None:
    source = read_csv(io.BytesIO(f"email,town\n{ANN},Ely\n{BEN},Rye\n{CID},Ware\n".encode()), "people.csv")
    rows = source.take(10, [])
    columns = {"email": "email", "town": "town"}
    checked = SuppressingValidator(BatchValidator(source, columns, ("email",)), of(BEN)).check(1, rows)
    assert (checked.keys, list(checked.rows), [tuple(row) for row in checked.values]) == (
        [ANN, CID],
        [1, 3],
        [(ANN, "Ely"), (CID, "Ware")],
    )
    assert [(row, tuple(values)) for row, values, _, _ in checked.suppressed] == [(2, (BEN, "Rye"))]
