"""Pages from the templates beside this module. No scripts, nothing from elsewhere.

Everything that a template shows is escaped: Jinja2's autoescape is on for every file.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

_HEADERS = {
    # A message may point at pictures and trackers; looking at it here must fetch nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Link(NamedTuple):
    """A cell of a table that leads somewhere.

    :ivar address: the path on this server.
    :ivar label: the text to click on.
    """

    address: str
    label: Any


def page(template: str, title: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    :param template: its file below ``templates``.
    :param title: the document's title and heading.
    :param status: the HTTP status.
    :param values: what the template uses; ``refresh`` is the number of seconds after which the browser loads the page
        again, 0 or left out: never.
    """
    content = _TEMPLATES.get_template(template).render({"title": title, "refresh": 0, **values})
    return HTMLResponse(content, status, headers=_HEADERS)


def with_query(path: str, **values: Any) -> str:
    """Return a path with those query values that are not empty."""
    query = {name: value for name, value in values.items() if value not in ("", None, 0)}
    return f"{path}?{urlencode(query)}" if query else path


_GOOD = re.compile("delivered|read|opened|clicked|finished|sent|active|ok|accepted|done", re.IGNORECASE)
_BAD = re.compile(
    "undelivered|error|fail|spam|bounce|unsubscribed|blacklist|expired|reject|cancel|block", re.IGNORECASE
)


def _mood(status: Any) -> str:
    """Return the class that colours a status: good, bad or wait."""
    word = str(status)
    return "bad" if _BAD.search(word) else "good" if _GOOD.fullmatch(word) else "wait"


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?\+00:00")


def _plain(value: Any) -> Any:
    """Return a value as it reads best in a table: objects as names and values, times without their UTC offset."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(str(_plain(item)) for item in value)
    moment = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    return f"{moment[1]} {moment[2]}" if moment else value


def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("airflow_provider_esp.sandbox.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: "" if value is None else value,
    )
    templates.globals["with_query"] = with_query
    templates.filters.update(mood=_mood, plain=_plain, words=lambda name: name.replace("_", " "))
    templates.tests["link"] = lambda value: isinstance(value, Link)
    return templates


_TEMPLATES = _environment()
