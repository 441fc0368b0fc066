"""Lineage: files, tables and contacts by the names that OpenLineage gives such things."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_esp.operators._openlineage import (
    Dataset,
    file_place,
    service_places,
    source_places,
    table_places,
    tables_of,
)
from airflow_provider_esp.sources import FileSource


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/data/people.csv", Dataset("file", "/data/people.csv")),
        ("file:///data/people.csv", Dataset("file", "/data/people.csv")),
        ("people.csv", Dataset("file", "people.csv")),
        ("s3://aws_default@crm/x/people.csv", Dataset("s3://crm", "x/people.csv")),
        ("gs://crm/people.csv", Dataset("gs://crm", "people.csv")),
    ],
)
def test_a_file_is_named_without_its_connection(path: str, place: Dataset) -> None:
    assert file_place(path) == place
    assert source_places(path) == [place]
    assert source_places(FileSource(path)) == [place]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT id FROM crm.people", ["crm.people"]),
        ('select * from "crm"."people" p\nleft join `cards` c on true', ["crm.people", "cards"]),
        ("WITH best AS (SELECT * FROM people) SELECT * FROM best JOIN people USING (id)", ["people"]),
        ("SELECT 1 -- from nowhere\n FROM a /* join b */", ["a"]),
        ("SELECT 1", []),
        ("SELECT * FROM (SELECT * FROM a) x", ["a"]),
    ],
)
def test_the_tables_of_a_query_are_found(sql: str, tables: list[str]) -> None:
    assert tables_of(sql) == tables


def test_a_table_is_named_by_its_server_and_not_by_its_credential() -> None:
    connection = SimpleNamespace(
        conn_type="postgres", host="db.example.com", port=5432, schema="crm", login="u", password="the-password"
    )
    (place,) = table_places("SELECT * FROM public.people", connection)
    assert place == Dataset("postgres://db.example.com:5432", "crm.public.people")


def test_rows_in_memory_have_no_place() -> None:
    assert source_places([{"email": "ann@example.com"}]) == []


def test_uploaded_rows_go_to_the_contacts_and_to_the_segments_that_were_named() -> None:
    assert service_places("esputnik", "shop", ["Big spenders"], 7) == [
        Dataset("esputnik://shop", "contacts", 7),
        Dataset("esputnik://shop", "segments/Big spenders", 7),
    ]
