"""Funnels: counted from activity, drawn, and put on a page."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import pytest

from airflow_provider_esp.analytics import funnel
from airflow_provider_esp.analytics import render as drawing
from airflow_provider_esp.core.export.schema import ActivityRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WAYS = {
    "ann": ("delivered", "read", "clicked", "clicked"),
    "ben": ("delivered", "read", "unsubscribed"),
    "cid": ("delivered",),
    "dan": ("undelivered",),
}


def activity(message: str = "Win-back", number: str = "1001") -> list[ActivityRow]:
    return [
        ActivityRow(
            occurred_at=NOON + timedelta(seconds=place),
            status=status,
            service_status=status.upper(),
            contact_id=person,
            message_id=number,
            message_name=message or None,
            service="esputnik",
        )
        for person, way in WAYS.items()
        for place, status in enumerate(way)
    ]


def test_each_recipient_counts_once_for_each_stage() -> None:
    rows = funnel.funnel(activity())
    assert [(row.stage, row.position, row.recipients) for row in rows] == [
        ("sent", 1, 4),
        ("delivered", 2, 3),
        ("read", 3, 2),
        ("clicked", 4, 1),
        ("unsubscribed", 5, 1),
    ]
    assert [row.share_of_sent for row in rows] == [1, 0.75, 0.5, 0.25, 0.25]
    assert [row.share_of_previous for row in rows] == [1, 0.75, 0.666667, 0.5, 0.333333]


def test_messages_are_apart_the_largest_first_and_add_up() -> None:
    few = [row for row in activity("Digest", "7") if row.contact_id in ("ann", "dan")]
    nameless = [row for row in activity("", "9") if row.contact_id == "ann"]
    rows = funnel.funnel([*few, *nameless, *activity()])
    assert list(dict.fromkeys(row.message for row in rows)) == ["Win-back", "Digest", "9"]
    assert [row.recipients for row in funnel.total(rows)] == [7, 5, 4, 3, 1]


def test_the_exported_file_is_read_however_it_is_cut() -> None:
    rows = activity()
    content = msgspec.json.Encoder().encode_lines(rows)
    assert list(funnel.read_activity(io.BytesIO(content))) == rows
    assert list(funnel.read_activity(io.BytesIO(content.rstrip(b"\n")))) == rows

    class Drip(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(7)

    assert list(funnel.read_activity(Drip(content))) == rows
    assert list(funnel.read_activity(io.BytesIO(b""))) == []


def test_the_table_survives_being_written() -> None:
    rows = funnel.funnel(activity('Sale, "half price"'))
    text = funnel.as_csv(rows)
    assert text.splitlines()[0] == "message,stage,position,recipients,share_of_sent,share_of_previous"
    assert funnel.from_csv(text) == rows


def test_nothing_happened_is_a_funnel_of_zeros() -> None:
    assert funnel.funnel([]) == []
    assert {row.recipients for row in funnel.total([])} == {0}
    assert {row.share_of_sent for row in funnel.total([])} == {0}


@pytest.mark.parametrize("rows", [activity(), []], ids=["a funnel", "nothing"])
def test_the_picture_is_a_png_of_its_size_and_the_same_again(rows: list[ActivityRow]) -> None:
    pytest.importorskip("matplotlib")
    everything = funnel.total(funnel.funnel(rows))
    picture = drawing.png(everything, "What became of 4 messages", "1 January 2026")
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1600, 800)
    assert drawing.png(everything, "What became of 4 messages", "1 January 2026") == picture


def test_drawing_leaves_no_figure_behind_in_the_process() -> None:
    pytest.importorskip("matplotlib")
    drawing.png(funnel.total(funnel.funnel(activity())), "x")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RuntimeError, match=r"pip install 'airflow-provider-esp\[report\]'"):
        drawing.png(funnel.total([]), "x")


class Page(HTMLParser):
    """What a page says, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def test_the_page_has_the_picture_and_a_line_for_each_message_and_loads_nothing() -> None:
    rows = funnel.funnel([*activity("<script>alert(1)</script>"), *activity("Digest", "7")])
    text = drawing.page(rows, b"\x89PNG", "Campaign report", "1 January 2026")
    page = Page(text)
    assert page.loads == ["data:image/png;base64,iVBORw=="]
    assert "<script>" not in text
    assert {"<script>alert(1)</script>", "Digest", "All messages", "50.0%"} <= set(page.said)
    assert "8 sent, 6 delivered, 4 read, 2 clicked, 2 unsubscribed" in text
