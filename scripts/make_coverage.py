"""Makes `docs/coverage.md`: every method of both services, what this project has for it, and what proves it.

    python scripts/make_coverage.py

Everything in it is asked of the code: the functions, through the arguments that the contract tests give them; the
vendors' specifications, through the skeletons beside those tests; and the sandbox's routes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from airflow_provider_esp.core.calls import Bucket, Call  # noqa: E402  # needs the path above
from tests.contract import specifications  # noqa: E402
from tests.contract.stage import LONGER, SERVICES, TABLES, TRANSLATIONS, serves  # noqa: E402
from tests.contract.table import Method  # noqa: E402

FILE = ROOT / "docs" / "coverage.md"

_COLUMNS = "VERB|path|function|buckets|repeat rule|right|in the specification|sandbox|contract test".split("|")
_UNITS = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}
_GENERAL = ("general", "templates")

_HEAD = """\
<!-- Made by scripts/make_coverage.py; a test fails when it is out of date. -->

# Methods

Every method is a function that returns a `Call`: a value that does nothing until a hook runs it, on a worker or on an
event loop, with the same credential, rate limits, retries and errors that the operators have.

```python
from airflow_provider_esp.hooks.esputnik import EsputnikHook
from airflow_provider_esp.services.esputnik.api import reading

with EsputnikHook("esputnik_default") as hook:
    segments = hook.run(reading.groups())  # list[Segment], and mypy knows it
    for contact in hook.iterate(reading.contact_pages()):  # Contact by Contact, as the pages come
        ...
segments = await hook.arun(reading.groups())  # in a trigger
```

- **function**: in `airflow_provider_esp.services.esputnik.api` or `.sendpulse.api`; after the semicolon those that make
  several such calls, or (in `mapping`) say one in the words both services share.
- **buckets**: the rate limits that all must admit a request; see the tables below each list. A connection's extra
  overrides any of them by its name.
- **repeat rule**: whether a request whose fate is unknown is sent again. Where the service refuses a repetition with
  409 and the repetition was our own, the answer is *looked up*.
- **right**: what an application (eSputnik) must be allowed; the vendor's names of its groups of methods.
- **in the specification**: whether the vendor's OpenAPI files have it. What they lack is known from the vendor's other
  pages and from clients in use.
- **contract test**: *requests* (whatever the arguments, valid by the specification), *answers* (the sandbox's, valid by
  the specification or a quirk written down), *decoding* (no promised answer to hold them against, so decoded only),
  *fuzz* (requests made from the specification never break the sandbox), *drivers* (both clients answer the same).
"""


@dataclass
class Row:
    """One method, and all that makes calls of it."""

    service: str
    calls: list[Call[Any]] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    more: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[str]:
        """What stands in the columns."""
        call = self.calls[0]
        return [
            call.method,
            call.label,
            "; ".join(_code(names) for names in (self._names(), self.more) if names),
            _code(_bucket_name(bucket) for bucket in call.buckets),
            "; ".join(dict.fromkeys(_repeat_rule(method, call) for method in self.methods)),
            self._right(),
            self._specified(),
            "yes" if serves(self.service, call.name) else "no",
            " ".join(self._tests()),
        ]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(method.name for method in self.methods))

    def _right(self) -> str:
        call = self.calls[0]
        if self.service == "sendpulse":
            return "any credential" if call.authorised else "no credential"
        if call.right is not None:
            return call.right
        return "none needed" if self.methods[0].name.partition(".")[0] in _GENERAL else "not documented"

    def _specified(self) -> str:
        found = [operation.document.partition("-")[2] for operation in specifications.of(self.calls[0])]
        if not found:
            return "no"
        return "yes" if found == [""] else f"yes ({', '.join(found)})"

    def _tests(self) -> Iterator[str]:
        operations = specifications.of(self.calls[0])
        promised = any(
            status == "default" or status.startswith("2") for operation in operations for status in operation.answers
        )
        if operations:
            yield "requests"
        yield "answers" if promised else "decoding"
        if operations and serves(self.service, self.calls[0].name):
            yield "fuzz"
        yield "drivers"


def rows(service: str) -> list[Row]:
    """Every method of a service, in the order of the tests' table."""
    found: dict[str, Row] = {}
    for method in TABLES[service]:
        for call in method.calls():
            row = found.setdefault(call.name, Row(service))
            row.calls.append(call)
            if method not in row.methods:
                row.methods.append(method)
    for translation in TRANSLATIONS[service]:
        for call in translation.calls():
            _mention(found[call.name], translation.name)
    for kind in LONGER[service].values():
        for longer in kind:
            _mention(found[next(longer.begin()).name], longer.name)
    return list(found.values())


def _mention(row: Row, name: str) -> None:
    if name not in row.more:
        row.more.append(name)


def _repeat_rule(method: Method, call: Call[Any]) -> str:
    """Whether the calls that a function makes of one method are repeatable, and what decides it."""
    calls = [(number, made) for number, made in enumerate(method.calls()) if made.name == call.name]
    said = {made.repeatable for _, made in calls}
    rule = {frozenset({True}): "yes", frozenset({False}): "no"}.get(frozenset(said)) or _condition(method, dict(calls))
    looked_up = " (looked up)" if any(made.when_done for _, made in calls) else ""
    return f"{rule}{looked_up}"


def _condition(method: Method, calls: Mapping[int, Call[Any]]) -> str:
    """Find the argument without which a sample's call is as repeatable as the first sample's."""
    usual = next(iter(calls.values())).repeatable
    causes = []
    for number, call in calls.items():
        if call.repeatable != usual:
            for name in method.samples[number]:
                without = {key: value for key, value in method.samples[number].items() if key != name}
                if _repeatable(Method(method.function, (without,))) == usual:
                    causes.append(f"`{name}`")
    if not causes:
        raise ValueError(f"{method.name}: no single argument decides whether it is repeatable; say so here.")
    return f"{'yes, but not' if usual else 'no, except'} with {' or '.join(dict.fromkeys(causes))}"


def _repeatable(method: Method) -> bool | None:
    try:
        return method.call(0).repeatable
    except (TypeError, ValueError):
        return None  # the argument is needed


def _bucket_name(bucket: Bucket) -> str:
    """A bucket's name; one that is made for each site has the site's number in it."""
    return re.sub(r"\.\d+$", ".{website_id}", bucket.name)


def _code(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _buckets(table: list[Row]) -> Iterator[str]:
    found = {_bucket_name(bucket): bucket for row in table for call in row.calls for bucket in call.buckets}
    yield "| bucket | documented limit |"
    yield "|---|---|"
    for name, bucket in found.items():
        unit = _UNITS.get(int(bucket.seconds), f"in {bucket.seconds:g} seconds")
        yield f"| `{name}` | {bucket.limit:g} {unit} |"


def text() -> str:
    """The whole file."""
    lines = [_HEAD]
    for service, title in ((name, SERVICES[name].title) for name in TABLES):
        table = rows(service)
        lines += [f"## {title}: {len(table)} methods", ""]
        lines += [f"| {' | '.join(_COLUMNS)} |", f"|{'---|' * len(_COLUMNS)}"]
        lines += [f"| {' | '.join(row.cells)} |" for row in table]
        lines += ["", *_buckets(table), ""]
    return "\n".join(lines)


def main() -> int:
    """Write the file.

    :returns: the process's exit code.
    """
    FILE.write_text(text(), encoding="utf-8")
    print(
        f"{FILE.relative_to(ROOT)}: {', '.join(f'{SERVICES[name].title} {len(rows(name))}' for name in TABLES)} methods"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
