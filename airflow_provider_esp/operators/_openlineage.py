"""Lineage: which file or table became contacts where, in OpenLineage's words; and back, for exports.

What is told is places and row counts, never a row. Everything here works without the OpenLineage provider; only
`operator_lineage`, which Airflow's OpenLineage provider asks for, needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_esp.assets.esp import asset_uri, lineage_name

_IDENTIFIER = r"(?:[^\W\d][\w$]*|\"[\w$ ]+\"|`[\w$ ]+`|\[[\w$ ]+\])"
_TABLE = re.compile(rf"\b(?:from|join)\s+({_IDENTIFIER}(?:\.{_IDENTIFIER})*)(?![\w@(])", re.IGNORECASE)
_COMMENT_OR_TEXT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|''|\\.)*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: where rows come from or go.

    :param namespace: in OpenLineage's naming, e.g. ``s3://bucket``, ``file``, ``postgres://host:5432``.
    :param name: within it.
    :param rows: how many went there, where that is known.
    """

    namespace: str
    name: str
    rows: int | None = None


def file_place(path: str, rows: int | None = None) -> Dataset:
    """Name a file: local, or anything Airflow's `ObjectStoragePath` takes; the connection in it is left out."""
    parts = urlsplit(path)
    if parts.scheme in ("", "file"):
        return Dataset("file", parts.path or path, rows)
    return Dataset(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.lstrip("/") or "/", rows)


def tables_of(sql: str) -> list[str]:
    """Find the tables that a SELECT names after FROM and JOIN; a guess by words, without a parser.

    What stands in a text is passed over: it is a value, and may be a person's.

    >>> tables_of('SELECT * FROM crm.people p JOIN "crm"."cards" c USING (id)')
    ['crm.people', 'crm.cards']
    """
    found = [re.sub(r"[\"`\[\]]", "", name) for name in _TABLE.findall(_COMMENT_OR_TEXT.sub(" ", sql))]
    with_names = {name.lower() for name in re.findall(r"\b(\w+)\s+as\s*\(", sql, re.IGNORECASE)}
    return list(dict.fromkeys(name for name in found if name and name.lower() not in with_names))


def table_places(sql: str, connection: Any) -> list[Dataset]:
    """Name the tables of a query.

    :param connection: the database's Airflow connection: type, host, port and schema are read, nothing else.
    """
    scheme = "postgres" if connection.conn_type == "postgresql" else connection.conn_type
    port = f":{connection.port}" if connection.port else ""
    namespace = f"{scheme}://{connection.host or 'localhost'}{port}"
    database = f"{connection.schema}." if connection.schema else ""
    return [Dataset(namespace, f"{database}{table}") for table in tables_of(sql)]


def source_places(source: Any) -> list[Dataset]:
    """Name what an operator's ``source=`` reads; nothing for rows that are in memory already."""
    from airflow_provider_esp.sources import FileSource, SqlSource

    if isinstance(source, str):
        return [file_place(source)]
    if isinstance(source, FileSource):
        return [file_place(source.path)]
    if isinstance(source, SqlSource):
        from airflow.providers.common.compat.sdk import BaseHook

        return table_places(source.sql, BaseHook.get_connection(source.conn_id))
    return []


def service_places(service: str, conn_id: str, segments: Sequence[str] = (), rows: int | None = None) -> list[Dataset]:
    """Name where uploaded rows go: the account's contacts, and the segments that the author named.

    :param service: the connection's type.
    """
    uris = [asset_uri(service, conn_id, "contacts")]
    uris += [asset_uri(service, conn_id, "segments", segment) for segment in segments]
    return [Dataset(*lineage_name(uri), rows) for uri in uris]


def export_places(service: str, conn_id: str, collections: Sequence[str]) -> list[Dataset]:
    """Name what an export reads.

    :param service: the connection's type.
    :param collections: of `assets.COLLECTIONS`.
    """
    return [Dataset(*lineage_name(asset_uri(service, conn_id, collection))) for collection in collections]


def operator_lineage(inputs: Sequence[Dataset], outputs: Sequence[Dataset]) -> Any:
    """Make what `get_openlineage_facets_on_complete` returns.

    :returns: an `OperatorLineage` of Airflow's OpenLineage provider, which has to be installed.
    """
    from airflow.providers.common.compat.openlineage import facet

    extractors: Any = import_module("airflow.providers.openlineage.extractors")  # not installed where we check types

    def output(place: Dataset) -> Any:
        if place.rows is None:
            return facet.OutputDataset(namespace=place.namespace, name=place.name)
        counted = facet.OutputStatisticsOutputDatasetFacet(rowCount=place.rows)
        return facet.OutputDataset(
            namespace=place.namespace, name=place.name, outputFacets={"outputStatistics": counted}
        )

    return extractors.OperatorLineage(
        inputs=[facet.Dataset(namespace=place.namespace, name=place.name) for place in inputs],
        outputs=[output(place) for place in outputs],
    )
