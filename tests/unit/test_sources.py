"""What an author writes in a DAG to say where rows come from."""

from __future__ import annotations

import gc
import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.exceptions import ColumnError, SourceError
from airflow_provider_esp.sources import FileSource, ListSource, SourceAttribute, source_of, wrapped
from airflow_provider_esp.utils.paths import storage_path

ANN = {"email": "ann@example.com"}
BOB = {"email": "bob@example.com"}


def rows(source: Any, columns: list[str] | None = None) -> list[list[Any]]:
    with source.open(columns) as table:
        return [list(row) for row in table.rows]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def put(name: str, content: str) -> str:
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    return put


Write = Callable[[str, str], str]

# -- files --


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("people.csv", "email,name\na@x.com,Ann\n"),
        ("people.CSV", "email,name\na@x.com,Ann\n"),
        ("people.tsv", "email\tname\na@x.com\tAnn\n"),
        ("people.ndjson", '{"email": "a@x.com", "name": "Ann"}\n'),
        ("people.jsonl", '{"email": "a@x.com", "name": "Ann"}\n'),
    ],
)
def test_a_files_name_tells_its_format(write: Write, name: str, content: str) -> None:
    source = FileSource(write(name, content))
    with source.open() as table:
        assert table.columns == ("email", "name")
        assert table.origin == name
        assert [list(row) for row in table.rows] == [["a@x.com", "Ann"]]


def test_the_author_may_say_the_format(write: Write) -> None:
    path = write("people.txt", "email\na@x.com\n")
    assert rows(FileSource(path, format="csv")) == [["a@x.com"]]
    with pytest.raises(SourceError, match="its name does not tell its format"):
        rows(FileSource(path))


@pytest.mark.parametrize(("name", "value"), [("format", "xml"), ("compression", "zip")])
def test_a_format_that_does_not_exist_is_refused_when_the_dag_is_parsed(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .* not '{value}'"):
        FileSource("people.csv", **{name: value})  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize("value", ["", ";;", "semicolon", '"', "\n", None, 7])
def test_a_delimiter_that_cannot_be_one_is_refused_when_the_dag_is_parsed(value: Any) -> None:
    with pytest.raises(ValueError, match=f"delimiter must be one character .* not {re.escape(repr(value))}"):
        FileSource("people.csv", delimiter=value)


@pytest.mark.parametrize("value", ["", "utf-9", "base64", "undefined", "rot13", None, 7, "a\0b"])
def test_an_encoding_that_does_not_exist_is_refused_when_the_dag_is_parsed(value: Any) -> None:
    with pytest.raises(ValueError, match=f"encoding must be a text encoding .* not {re.escape(repr(value))}"):
        FileSource("people.csv", encoding=value)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_delimiter_and_encoding_of_a_file_are_recognised(tmp_path: Path, mark: str, encoding: str) -> None:
    for name, first in (("people.csv", ""), ("people.csv.gz", f"sep={mark}\r\n")):
        content = (first + mark.join(["email", "name\r\na@x.com", "Анна\r\n"])).encode(encoding)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        with FileSource(str(tmp_path / name)).open() as table:
            assert table.columns == ("email", "name")
            assert [list(row) for row in table.rows] == [["a@x.com", "Анна"]]


def test_any_delimiter_and_encoding_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("email:name\na@x.com:Анна,;\n".encode("cp1251"))
    assert rows(FileSource(str(path), delimiter=":", encoding="cp1251")) == [["a@x.com", "Анна,;"]]
    with pytest.raises(SourceError, match=r"people\.csv: line 2 is not UTF-8; .* encoding='cp1251'"):
        rows(FileSource(str(path), delimiter=":"))
    with pytest.raises(SourceError, match=r"people\.csv: line 2 is not ascii; say in encoding= what"):
        rows(FileSource(str(path), delimiter=":", encoding="ascii"))


def test_the_columns_of_lines_without_a_header_may_be_told(write: Write) -> None:
    path = write("people.ndjson", '{"email": "a@x.com"}\n')
    with FileSource(path).open(["name", "email"]) as table:
        assert table.columns == ("name", "email")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.csv: there is no such file; check the path") as caught:
        rows(FileSource(str(tmp_path / "gone.csv")))
    assert caught.value.__suppress_context__


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "people.csv").mkdir()
    with pytest.raises(SourceError, match="this is a folder"):
        rows(FileSource(str(tmp_path / "people.csv")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(write: Write) -> None:
    path = write("people.csv", "email\n")
    os.chmod(path, 0)
    with pytest.raises(SourceError, match="this worker may not read it"):
        rows(FileSource(path))


def test_a_path_that_may_not_be_read_is_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_esp.sources import file

    class Forbidden:
        def open(self, mode: str) -> None:
            raise PermissionError

    monkeypatch.setattr(file, "storage_path", lambda path: Forbidden())
    with pytest.raises(SourceError, match=r"people\.csv: this worker may not read it"):
        rows(FileSource("people.csv"))


@pytest.mark.parametrize("name", ["a b.csv", "a#b.csv", "a%20b.csv", "a?b.csv", "імена.csv", "a:b.csv", "a[1].csv"])
def test_a_file_may_have_any_name(write: Write, name: str) -> None:
    assert rows(FileSource(write(name, "email\na@x.com\n"))) == [["a@x.com"]]


def test_a_path_may_be_relative_or_begin_at_home(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("people.csv", "email\na@x.com\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rows(FileSource("people.csv")) == rows(FileSource("~/people.csv")) == [["a@x.com"]]


def test_a_path_may_be_a_url(write: Write) -> None:
    assert rows(FileSource("file://" + write("people.csv", "email\na@x.com\n"))) == [["a@x.com"]]


def test_a_file_is_closed_when_its_rows_are_done_with(write: Write) -> None:
    path = write("people.csv", "email\n" + "a@x.com\n" * 100_000)
    descriptors = len(os.listdir("/proc/self/fd"))
    with FileSource(path).open() as table:
        next(table.rows)
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", ["", "email\n", "email\na@x.com\nb@x.com\n", "a,a\n", 'a\n"\n'])
def test_reading_a_file_leaves_nothing_open_that_python_would_warn_about(write: Write, content: str) -> None:
    with suppress(ColumnError), FileSource(write("people.csv", content)).open() as table:
        next(table.rows, None)
    with suppress(ColumnError):
        rows(FileSource(write("people.csv", content)))
    gc.collect()


def test_a_file_source_shows_its_path() -> None:
    assert repr(FileSource("s3://bucket/people.csv")) == "FileSource('s3://bucket/people.csv')"
    assert FileSource.template_fields == ("path",)


# -- lists --


def test_a_list_of_dictionaries_is_a_source() -> None:
    assert rows(ListSource([ANN, BOB])) == [["ann@example.com"], ["bob@example.com"]]
    assert rows(ListSource([ANN]), ["name", "email"])[0][1] == "ann@example.com"


def test_of_a_list_only_the_number_of_rows_shows() -> None:
    source = ListSource([ANN, BOB])
    assert repr(source) == str(source) == f"{source}" == "2 rows"


# -- an operator's attribute --


class Operator:
    source = SourceAttribute()

    def __init__(self, source: Any) -> None:
        self.source = source


class Reference:
    """Something that Airflow resolves later, as an `XComArg` is."""

    operator = "upstream"

    def resolve(self, context: Any) -> Any:
        return [ANN]


@pytest.mark.parametrize("given", [[ANN], (ANN,), []])
def test_rows_are_wrapped_the_moment_they_are_assigned(given: Any) -> None:
    operator = Operator("a.csv")
    operator.source = given
    assert isinstance(operator.source, ListSource)
    assert "ann" not in repr(operator.__dict__)


@pytest.mark.parametrize("given", ["a.csv", FileSource("a.csv"), None, Reference(), [Reference()], "{{ params.rows }}"])
def test_what_is_not_known_yet_or_no_rows_stays_as_it_is(given: Any) -> None:
    assert wrapped(given) is given
    assert Operator(given).source is given


def test_two_operators_have_two_sources() -> None:
    one, other = Operator("a.csv"), Operator("b.csv")
    assert (one.source, other.source) == ("a.csv", "b.csv")
    assert isinstance(Operator.source, SourceAttribute)


def test_a_source_is_made_of_a_path_or_is_one_already(tmp_path: Path) -> None:
    assert isinstance(source_of("a.csv"), FileSource)
    assert source_of(tmp_path / "a.csv").path == str(tmp_path / "a.csv")  # type: ignore[union-attr]  # a path makes a FileSource
    for source in (FileSource("a.csv"), ListSource([ANN])):
        assert source_of(source) is source


@pytest.mark.parametrize("given", [None, 7, {"email": "ann@example.com"}, b"a.csv"])
def test_anything_else_is_refused_by_its_type(given: Any) -> None:
    with pytest.raises(TypeError, match=f"not a {type(given).__name__}") as caught:
        source_of(given)
    assert "ann@" not in str(caught.value)


# -- paths, and what an import costs --


def test_a_local_path_is_one_of_airflows_as_well(tmp_path: Path) -> None:
    path = storage_path(str(tmp_path)) / "x.txt"
    with path.open("wb") as file:
        file.write(b"x")
    assert (tmp_path / "x.txt").read_bytes() == b"x"


def test_a_dag_that_only_names_a_source_imports_no_reader_and_no_airflow() -> None:
    code = (
        "import sys; from airflow_provider_esp.sources import FileSource; FileSource('a.csv');"
        "print([name for name in ('airflow', 'msgspec', 'httpx', 'csv', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
