"""An operator's `source`: from what an author writes to the object that a task reads rows from."""

from __future__ import annotations

import os
from typing import Any

from airflow_provider_esp.sources.file import FileSource
from airflow_provider_esp.sources.rows import ListSource
from airflow_provider_esp.sources.sql import SqlSource
from airflow_provider_esp.utils.masking import WrappedAttribute, is_template, without_secrets

Source = FileSource | ListSource | SqlSource


class SourceAttribute(WrappedAttribute):
    """An operator's ``source``, which wraps rows the moment they are assigned.

    Airflow renders templates and resolves XComs by assigning to the attribute, then shows and stores what is there:
    wrapped rows show as their number, whichever way they came.
    """

    def __init__(self) -> None:
        super().__init__(wrapped)


def wrapped(value: Any) -> Any:
    """Make a source of what an author gave: rows into a `ListSource`, a path into a `FileSource`.

    What is not known yet (an XCom, a template) is left as it is.
    """
    if isinstance(value, list | tuple) and not any(_is_reference(item) for item in value):
        return ListSource(value)
    if isinstance(value, str) and not is_template(value) and without_secrets(value) != value:
        return FileSource(value)  # Airflow stores and shows a text as it is, and this one is signed or holds a login
    return value


def _is_reference(item: object) -> bool:
    return hasattr(item, "resolve") and hasattr(item, "operator")


def source_of(value: Any) -> Source:
    """Give the source that a task runs with, once everything is rendered.

    :raises TypeError: it is nothing that rows can come from.
    """
    if isinstance(value, str | os.PathLike):
        return FileSource(str(value))
    if isinstance(value, Source):
        return value
    raise TypeError(
        f"source= takes a path, a FileSource, a SqlSource, or a list of dictionaries, not a {type(value).__name__}."
    )
