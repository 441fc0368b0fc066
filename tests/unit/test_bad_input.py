"""Whatever stands in the rows: nothing crashes, each row ends in one of the seven outcomes, and what leaves is JSON.

The rows go the whole way, through a reader, the checks, the ledger and both services' own requests; only the wire is
missing.
"""

from __future__ import annotations

import csv
import decimal
import enum
import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_esp import exceptions
from airflow_provider_esp.core.calls import Call, Flow
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.ledger import Ledger, MemoryStore
from airflow_provider_esp.core.models import EventOptions, MessageOptions, UploadOptions
from airflow_provider_esp.core.outcomes import Counts, Outcome
from airflow_provider_esp.core.readers.csv_reader import read_csv
from airflow_provider_esp.core.readers.csv_records import has_address
from airflow_provider_esp.core.readers.table import Table, read_mappings, read_ndjson
from airflow_provider_esp.core.row_report import Report, RowReport
from airflow_provider_esp.core.send.run import SendRun
from airflow_provider_esp.core.upload.run import Upload
from airflow_provider_esp.core.validation.batch import BatchValidator
from airflow_provider_esp.core.validation.mapper import custom_fields, event_mapper, recipient_mapper
from airflow_provider_esp.services.esputnik import targets as esputnik
from airflow_provider_esp.services.sendpulse import targets as sendpulse

COLUMNS = ("email", "phone", "first", "note", "n")
AS = {"email": "email", "phone": "phone", "first": "first_name", "note": "SHOP.NOTE", "n": "SHOP.N"}
KINDS = {"NOTE": "TEXTFIELD", "N": "NUMBER"}
REFUSED = "refuse this"


class Wire:
    """Answers calls as the services do, once their bodies are proven to be what they should."""

    def __init__(self, fields: Mapping[str, str] = KINDS) -> None:
        self.fields = fields
        self.imports: list[list[str]] = []
        self.lock = threading.Lock()

    def perform(self, work: Flow[Any]) -> Any:
        try:
            call = next(work)
            while True:
                body = self._read(call)
                if REFUSED in str(body):
                    call = work.throw(exceptions.InvalidRequest("a row is not valid"))
                else:
                    call = work.send(decode(json.dumps(self._answer(call, body)).encode(), call.answer))
        except StopIteration as end:
            return end.value

    def _read(self, call: Call[Any]) -> Any:
        assert call.query_string.isascii()
        if call.content is None:
            return None
        text = call.content.decode()
        return json.loads(text) if "json" in (call.content_type or "") else dict(parse_qsl(text))

    def _answer(self, call: Call[Any], body: Any) -> Any:
        name = call.name.removesuffix("/")
        if name == "POST v1/contacts":
            with self.lock:
                self.imports.append([channel["value"] for one in body["contacts"] for channel in one["channels"]])
                return {"asyncSessionId": str(len(self.imports) - 1)}
        if name.startswith("GET v1/importstatus"):
            who = self.imports[int(call.path.rpartition("/")[2])]
            return {"status": "FINISHED", "mapping": [{"dedupeValue": value, "contactId": 1} for value in who]}
        if name == "GET v1/addressbooks":
            fields = [
                {"id": number, "fieldKey": key, "description": {"type": kind}}
                for number, (key, kind) in enumerate(self.fields.items(), 1)
            ]
            return {"addressBook": {"fieldGroups": {"profileKey": "SHOP", "fields": fields}}}
        if name.endswith("smartsend"):
            return {"results": [{"locator": one["locator"], "status": "OK"} for one in body["recipients"]]}
        if name.startswith("POST v2/event"):
            return None
        return {"result": True, "id": "x"}


class Kept(Report):
    """Remembers who was reported, and proves that each line can be written down."""

    def __init__(self) -> None:
        super().__init__(None)
        self.rows: list[RowReport] = []

    def write(self, first_row: int, digest: str, stage: str, rows: Sequence[RowReport]) -> str | None:
        self.rows += rows if stage != "open" else ()
        return super().write(first_row, digest, stage, rows)


def add_up(counts: Counts, rows: int) -> None:
    told = counts.as_dict()
    assert len(told) == 7
    assert min(told.values()) >= 0
    assert sum(told.values()) == rows


def upload(table: Table, service: str, wire: Wire, columns: Mapping[str, str] = AS) -> tuple[Counts, Kept]:
    report = Kept()
    options = UploadOptions(custom_fields=custom_fields(table, columns), segments=("7",), create_segments=True)
    module = esputnik if service == "esputnik" else sendpulse
    target: Any = wire.perform(module.upload(options))
    done = Upload(target, wire.perform, report, poll_interval=0.001, keep_values=True)
    done.run(table, BatchValidator(table, columns, target.identity, "keep", target.rules))
    assert done.wait()
    return done.counts, report


def send(table: Table, service: str, wire: Wire) -> Counts:
    target: Any = (
        esputnik.messages(MessageOptions("1"))
        if service == "esputnik"
        else sendpulse.messages(MessageOptions("1", subject="Hello"), None, "shop@example.com")
    )
    run = SendRun(target, wire.perform, Ledger(MemoryStore()), Kept(), keep_values=True)
    run.run(table, recipient_mapper(table, "email", None))
    return run.counts


def send_events(table: Table, service: str, wire: Wire) -> Counts:
    target: Any = esputnik.events(EventOptions()) if service == "esputnik" else sendpulse.events(EventOptions(), None)
    run = SendRun(target, wire.perform, Ledger(MemoryStore()), Kept(), deduplicate=False, keep_values=True)
    run.run(table, event_mapper(table, "bought", {"email": "email", "phone": "phone"}, None))
    return run.counts


# -- the rows ----------------------------------------------------------------------------------------------------


class Tier(enum.Enum):
    GOLD = "gold"
    PAIR = (1, 2)


ORDINARY = st.sampled_from(
    [
        "ann@example.com",
        "ANN@example.com",
        " ben@example.com\t",
        "+380501234567",
        "380501234567",
        "007",
        "1e5",
        "-0",
        "NaN",
        "null",
        "٣",  # a digit
        "x" * 70_000,
        "ann@example.com" * 5_000,
        REFUSED,
    ]
)
NASTY = st.text(alphabet="\x00\x01\x08\x1b\x1f\x7f\x85\u200b\u202e\u2028\ufeff\ufffe'\"\\,;\n\r\t{}@.ê😀", max_size=12)
TEXT = ORDINARY | NASTY | st.text(max_size=20)
CELL = (
    TEXT
    | st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 10**5_000, -(2**63), 2**64, decimal.Decimal("1E+400"), decimal.Decimal("sNaN"), *Tier])
    | st.floats()
    | st.decimals()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.timedeltas()
    | st.uuids()
    | st.ip_addresses()
    | st.binary(max_size=4)
    | st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)  # halves of characters
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.floats() | st.text(max_size=2), max_size=2)
)
SOMEBODY = st.sampled_from(
    ["ann@example.com", "Ann@Example.com ", "ben@example.com", "cid@example.com", "dan@example.com"]
)
ROW: st.SearchStrategy[Any] = (
    st.dictionaries(st.sampled_from(COLUMNS), CELL, max_size=5)
    | st.builds(
        lambda who, more: {**more, "email": who},
        SOMEBODY,
        st.dictionaries(st.sampled_from(["note", "note", "first", "n"]), CELL, max_size=1),
    )
    | st.sampled_from([None, 7, "a row", [], {"odd": 1}, {"email": "eve@example.com", "note": REFUSED}])
)
ROWS = st.lists(ROW, max_size=12).map(lambda rows: [dict.fromkeys(COLUMNS[:1]), *rows])  # the first tells the columns
SERVICES = st.sampled_from(["esputnik", "sendpulse"])
often = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def in_memory(rows: list[Any]) -> Table:
    return read_mappings(rows, "rows", COLUMNS)


@often
@given(ROWS, SERVICES)
def test_an_upload_loses_no_row_of_any_list(rows: list[Any], service: str) -> None:
    counts, report = upload(in_memory(rows), service, Wire())
    add_up(counts, len(rows))
    numbers = [row.row for row in report.rows]
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) == len(rows) - counts[Outcome.ACCEPTED]


@often
@given(ROWS, SERVICES)
def test_a_send_loses_no_row_of_any_list(rows: list[Any], service: str) -> None:
    add_up(send(in_memory(rows), service, Wire()), len(rows))


@often
@given(ROWS, SERVICES)
def test_events_lose_no_row_of_any_list(rows: list[Any], service: str) -> None:
    add_up(send_events(in_memory(rows), service, Wire()), len(rows))


LINES = st.lists(st.tuples(SOMEBODY | TEXT, st.just("") | TEXT, TEXT, TEXT, st.just("7") | TEXT), max_size=12)


@often
@given(LINES, SERVICES, st.booleans())
@example([("\r", "\n", "\r\n", '"', ",")], "esputnik", True)
@example([("a@b.co", "\x00", "\ufeff", "\u2028", "\x85")], "sendpulse", False)
def test_no_line_of_a_csv_is_lost(lines: list[tuple[str, ...]], service: str, sends: bool) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([COLUMNS, *lines])
    # A value that spans lines and holds an address may be several people, and is taken apart.
    assume(not any(has_address(cell) for line in lines for cell in line if "\n" in cell or "\r" in cell))
    table = read_csv(io.BytesIO(written.getvalue().encode()), "rows.csv", allow_line_breaks=True)
    counts = send(table, service, Wire()) if sends else upload(table, service, Wire())[0]
    add_up(counts, sum(any(map(str.strip, line)) for line in lines))


def objects() -> Iterator[bytes]:
    yield b'{"email": "ann@example.com", "n": 1}'
    yield b'{"email": "ann@example.com", "email": "ben@example.com", "n": 1, "n": 2}'  # keys that stand twice
    yield b'{"email": "cid@example.com", "n": 1' + b"0" * 500 + b"}"
    yield b'{"email": "dan@example.com", "note": "\\ud800"}'
    yield b'{"email": "eve@example.com", "note": "\xff"}'
    yield b'{"email": ' + b"[" * 2_000 + b"]" * 2_000 + b"}"
    yield b'{"email": null}'
    yield b'{"n": NaN}'
    yield b"[]"
    yield b'{"email": "fay@example.com", "odd": 1}'


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_no_line_of_an_ndjson_is_lost(service: str) -> None:
    lines = list(objects())
    for way in (send, send_events):
        add_up(way(read_ndjson(io.BytesIO(b"\n".join(lines)), "rows", COLUMNS), service, Wire()), len(lines))
    counts, _ = upload(read_ndjson(io.BytesIO(b"\n".join(lines)), "rows", COLUMNS), service, Wire())
    add_up(counts, len(lines))
    assert counts[Outcome.ACCEPTED] >= 2


def test_ten_thousand_columns_are_columns_like_others() -> None:
    names = [f"C{number}" for number in range(10_000)]
    wide = ("email", *names)
    rows: list[dict[str, Any]] = [{"email": f"p{at}@example.com", **dict.fromkeys(names, f"v{at}")} for at in range(3)]
    rows += [{"email": "nobody", **dict.fromkeys(names)}, {"email": "q@example.com"}]
    columns = {"email": "email", **{name: f"SHOP.{name}" for name in names}}
    wire = Wire(dict.fromkeys(names, "TEXTFIELD"))
    counts, _ = upload(read_mappings(rows, "rows", wide), "esputnik", wire, columns)
    assert (counts[Outcome.ACCEPTED], counts[Outcome.INVALID], counts.rows) == (4, 1, 5)
    for service in ("esputnik", "sendpulse"):
        sent = send(read_mappings(rows, "rows", wide), service, Wire())
        assert (sent[Outcome.ACCEPTED], sent[Outcome.INVALID], sent.rows) == (4, 1, 5)
