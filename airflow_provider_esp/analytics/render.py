"""A funnel as a picture and as a page. The picture needs matplotlib, which the extra ``report`` brings."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from airflow_provider_esp.analytics.funnel import STAGES, FunnelRow, total

_INK, _QUIET, _BAR, _TRACK, _LOSS = "#1f2933", "#6b7785", "#2f6f9f", "#dfe8ef", "#c2573f"
_SIZE, _DPI = (10.0, 5.0), 160
_ROOM = 1.38  # how much wider than the longest bar, for the labels behind it


def png(rows: Sequence[FunnelRow], title: str, subtitle: str = "") -> bytes:
    """Draw one message's funnel: a bar for each stage, behind it how long the bar before was.

    :param rows: of one message, as `stages` or `total` make them.
    :raises RuntimeError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeError("Pictures need a package: pip install 'airflow-provider-esp[report]'.") from None
    # No pyplot: it keeps figures and a backend for the whole process.
    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white")
    axes = figure.add_axes((0.17, 0.03, 0.81, 0.77))
    figure.text(0.03, 0.925, title, fontsize=17, fontweight="bold", color=_INK, va="center")
    figure.text(0.03, 0.857, subtitle, fontsize=11, color=_QUIET, va="center")
    most = max((row.recipients for row in rows), default=0) or 1
    before = 0
    for row in rows:
        loss = row.stage == "unsubscribed"
        place = row.position - 1 + 0.35 * loss
        if not loss:
            axes.barh(place, before, height=0.66, color=_TRACK)
        axes.barh(place, row.recipients, height=0.66, color=_LOSS if loss else _BAR)
        # Behind the longest thing in the row, so that no label stands on a bar or over its end.
        _label(axes, row, place, max(row.recipients, 0 if loss else before) + 0.012 * most)
        name = row.stage.capitalize()
        axes.text(-0.14 / 0.81 * most * _ROOM, place, name, va="center", fontsize=12.5, color=_INK)
        before = row.recipients
    axes.axhline(3.68, color=_TRACK, linewidth=1)
    axes.set_xlim(0, most * _ROOM)
    axes.set_ylim(4.85, -0.5)
    axes.axis("off")
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def _label(axes: Any, row: FunnelRow, place: float, start: float) -> None:
    """Write a stage's number, and what part of those before it got so far."""
    told = "" if row.stage == "sent" else f"{row.share_of_sent:.1%} of sent"
    if row.stage in ("read", "clicked"):
        told += f", {row.share_of_previous:.1%} of {STAGES[row.position - 2]}"
    number = f"{row.recipients:,}"
    axes.text(start, place - 0.14 * bool(told), number, va="center", fontsize=12.5, fontweight="bold", color=_INK)
    axes.text(start, place + 0.17, told, va="center", fontsize=9.5, color=_QUIET)


def page(rows: Sequence[FunnelRow], picture: bytes, title: str, subtitle: str = "") -> str:
    """Make a page of the picture and a table by message: one file, which loads nothing from anywhere.

    :param rows: of all messages.
    :param picture: as `png` draws it.
    """
    everything = total(rows)
    said = ", ".join(f"{row.recipients:,} {row.stage}" for row in everything)
    image = b64encode(picture).decode()
    lines = "\n".join(_line(name, list(stages)) for name, stages in groupby(rows, lambda row: row.message))
    head = "".join(f"<th>{stage.capitalize()}</th>" for stage in STAGES)
    return _PAGE.format(
        title=escape(title),
        subtitle=escape(subtitle),
        said=escape(said),
        image=image,
        head=head,
        lines=lines,
        sums=_line("All messages", everything),
    )


def _line(name: str, stages: Sequence[FunnelRow]) -> str:
    cells = [f"<th scope='row'>{escape(name)}</th>"]
    for row in stages:
        share = "" if row.stage == "sent" else f"<small>{row.share_of_sent:.1%}</small>"
        cells.append(f"<td>{row.recipients:,}{share}</td>")
    return f"<tr>{''.join(cells)}</tr>"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
p {{ color: #6b7785; margin: .2rem 0 1rem; }}
img {{ width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .45rem .6rem; border-bottom: 1px solid #dfe8ef; text-align: right; white-space: nowrap; }}
th:first-child {{ text-align: left; white-space: normal; }}
thead th {{ color: #6b7785; font-weight: 600; }}
tbody th {{ font-weight: 500; }}
tfoot th, tfoot td {{ font-weight: 700; border-bottom: 0; }}
small {{ display: block; color: #6b7785; font-weight: 400; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}</p>
<img src="data:image/png;base64,{image}" alt="Funnel: {said}">
<div class="wide">
<table>
<thead><tr><th>Message</th>{head}</tr></thead>
<tbody>
{lines}
</tbody>
<tfoot>{sums}</tfoot>
</table>
</div>
<p>A recipient is a person and a message; shares are of those it was sent to.</p>
</body>
</html>
"""
