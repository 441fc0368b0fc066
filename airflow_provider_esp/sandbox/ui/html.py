"""The small HTML kit of the page for people: layout, style, tables. No scripts, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --dim: #667085; --line: #e3e6ec; --page: #f6f7f9; --card: #fff;
  --link: #1a5fb4; --good: #1b7f4b; --bad: #b42318; --wait: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #98a2b3; --line: #2e3440; --page: #14171d;
  --card: #1c2028; --link: #7db3ff; --good: #5fd08f; --bad: #ff8a7a; --wait: #e8c15a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; justify-content: space-between; }
h1 { font-size: 1.4rem; margin: .5rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h1 a { color: inherit; } a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
.dim { color: var(--dim); font-size: .875rem; }
.counts { display: flex; flex-wrap: wrap; gap: .35rem; padding: 0; list-style: none; margin: .35rem 0;
  align-items: baseline; }
.counts span { color: var(--dim); font-size: .875rem; min-width: 7rem; }
.counts a { display: block; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .2rem .6rem; color: inherit; font-size: .875rem; }
.counts b { font-size: 1rem; font-variant-numeric: tabular-nums; } .counts .none { opacity: .6; }
form { display: flex; gap: .5rem; margin: .75rem 0; }
input, button, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .4rem .75rem; }
input { flex: 1; min-width: 0; max-width: 24rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th { text-align: left; color: var(--dim); font-weight: 600; font-size: .8125rem; }
th, td { padding: .45rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: break-word; max-width: 30rem; }
tr:last-child td { border-bottom: 0; }
.status { font-weight: 600; white-space: nowrap; } .good { color: var(--good); } .bad { color: var(--bad); }
.wait { color: var(--wait); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; background: var(--card); margin: 0;
  border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
iframe { width: 100%; height: 28rem; border: 1px solid var(--line); border-radius: .5rem; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .75rem; margin: 0; }
nav { display: flex; gap: 1rem; margin: .75rem 0; }
@media (max-width: 40rem) {
  thead { display: none; } tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  tr:last-child { border-bottom: 0; }
  td { display: grid; grid-template-columns: 6.5rem 1fr; gap: .5rem; border: 0; padding: .15rem .75rem;
    max-width: none; }
  td span { overflow-wrap: anywhere; } td:has(> span:empty) { display: none; }
  td::before { content: attr(data-name); color: var(--dim); font-size: .8125rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } .counts span { width: 100%; }
}
"""

_HEADERS = {
    # A message may point at pictures and trackers; looking at it here must fetch nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Html(str):
    """Text that is HTML already and is not escaped again."""


def text(value: Any) -> Html:
    """Anything as HTML text."""
    if isinstance(value, Html):
        return value
    return Html(escape("" if value is None else str(value)))


def link(address: str, label: Any) -> Html:
    """A link."""
    return Html(f'<a href="{escape(address)}">{text(label)}</a>')


def with_query(path: str, **values: Any) -> str:
    """A path with those query values that are not empty."""
    given = {name: value for name, value in values.items() if value not in ("", None, 0)}
    return f"{path}?{urlencode(given)}" if given else path


def document(title: str, body: Iterable[str], aside: str = "", refresh: int = 0, status: int = 200) -> HTMLResponse:
    """A whole page.

    :param aside: what stands to the right of the heading.
    :param refresh: seconds after which the browser loads it again; 0 never.
    """
    reload = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{reload}<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<header><h1><a href="/">Sandbox</a>{_crumb(title)}</h1><span class="dim">{text(aside)}</span></header>'
        f"{''.join(body)}</main></body></html>"
    )
    return HTMLResponse(content, status, headers=_HEADERS)


def _crumb(title: str) -> str:
    return "" if title == "Sandbox" else f" / {escape(title)}"


def grid(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table; on a narrow screen every row becomes a card."""
    if not rows:
        return '<p class="dim">Nothing yet.</p>'
    head = "".join(f"<th>{escape(_spoken(name))}</th>" for name in columns)
    lines = (
        "<tr>"
        + "".join(f'<td data-name="{escape(_spoken(name))}"><span>{_cell(name, row)}</span></td>' for name in columns)
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """A list of names and values; empty values are left out."""
    lines = (f"<dt>{escape(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs if value not in (None, "", {}))
    return f"<dl>{''.join(lines)}</dl>"


def counts(title: str, cells: Iterable[tuple[str, str, int]]) -> str:
    """A line of numbers that lead to what they count.

    :param cells: (address, what is counted, how many).
    """
    items = (
        f'<li{"" if number else " class=none"}><a href="{escape(address)}"><b>{number:,}</b> {escape(label)}</a></li>'
        for address, label, number in cells
    )
    return f'<ul class="counts"><span>{escape(title)}</span>{"".join(items)}</ul>'


def search(path: str, q: str) -> str:
    """A filter form."""
    return (
        f'<form action="{escape(path)}"><input name="q" value="{escape(q)}" placeholder="filter" aria-label="filter">'
        "<button>Filter</button></form>"
    )


def pager(path: str, q: str, page: int, size: int, total: int) -> str:
    """Which rows these are, and links to newer and older ones."""
    first, last = (page - 1) * size + 1, min(page * size, total)
    parts = [f'<span class="dim">{first} to {last} of {total}</span>' if total else '<span class="dim">0</span>']
    if page > 1:
        parts.append(link(with_query(path, q=q, page=page - 1), "newer"))
    if last < total:
        parts.append(link(with_query(path, q=q, page=page + 1), "older"))
    return f"<nav>{''.join(parts)}</nav>"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


_GOOD = re.compile("delivered|read|opened|clicked|finished|sent|active|ok|accepted|done", re.IGNORECASE)
_BAD = re.compile(
    "undelivered|error|fail|spam|bounce|unsubscribed|blacklist|expired|reject|cancel|block", re.IGNORECASE
)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if name != "status":
        return text(_plain(value))
    word = str(value)
    mood = "bad" if _BAD.search(word) else "good" if _GOOD.fullmatch(word) else "wait"
    return f'<span class="status {mood}">{text(value)}</span>'


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?\+00:00")


def _plain(value: Any) -> Any:
    """A value as it reads best in a table: objects as names and values, moments without what is always the same."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(str(_plain(item)) for item in value)
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    return f"{found[1]} {found[2]}" if found else value
