"""Where rows come from: files, lists of rows and databases.

These objects live in DAG files, which Airflow parses every half minute: nothing is opened and nothing heavy is imported
until a task runs.
"""

from airflow_provider_esp.core.readers.null_words import NULL_VALUES
from airflow_provider_esp.sources._base import Source, SourceAttribute, source_of, wrapped
from airflow_provider_esp.sources.file import FileSource
from airflow_provider_esp.sources.rows import ListSource
from airflow_provider_esp.sources.sql import SqlSource

__all__ = ["NULL_VALUES", "FileSource", "ListSource", "Source", "SourceAttribute", "SqlSource", "source_of", "wrapped"]
