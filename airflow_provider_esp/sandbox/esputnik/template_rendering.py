"""Filling eSputnik's templates: ``$!data.get('name')`` of smartsend and ``%TEMPLATE.name%`` of the older send.

Only looking values up is played, nested looks included; the template language's loops and conditions are left as
they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LOOK = r"data((?:\.get\(\s*(?:'[^']*'|\"[^\"]*\")\s*\)|\.[A-Za-z_]\w*|\[\d+\])+)"
_SMART = re.compile(rf"\$(!?)(?:\{{{_LOOK}\}}|{_LOOK})")
_STEP = re.compile(r"\.get\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)|\.([A-Za-z_]\w*)|\[(\d+)\]")
_OLD = re.compile(r"%TEMPLATE\.([^%\s]+)%")


def render(template: str, data: Mapping[str, Any]) -> str:
    """Return what a recipient reads.

    :param template: subject, HTML or text with placeholders.
    :param data: the recipient's values, by name.
    """

    def smart(found: re.Match[str]) -> str:
        value = _walk(data, found.group(2) or found.group(3))
        if value is None:
            # As Velocity does: a quiet reference is empty, a plain one stays visible.
            return "" if found.group(1) else found.group(0)
        return str(value)

    def old(found: re.Match[str]) -> str:
        value = data.get(found.group(1))
        return "" if value is None else str(value)

    return _OLD.sub(old, _SMART.sub(smart, template))


def _walk(value: Any, path: str) -> Any:
    for quoted, doubly, attribute, index in _STEP.findall(path):
        name = quoted or doubly or attribute
        if name and isinstance(value, Mapping):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value
