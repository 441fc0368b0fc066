"""A dry run: everything up to the first request that would write, and that request as it would have been.

Two things make sure that nothing is written. `only_reads` stands between a hook and its client and refuses any call
that is not a GET; whoever forgets that a task is dry fails there. `Preview` is for those who know: it carries out what
an upload, a send or any other flow reads, keeps back what it writes, and can show the first of these with everybody in
it made unrecognisable.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from airflow_provider_esp.core.calls import FORM, Call, Flow
from airflow_provider_esp.core.contact_columns import ContactColumns, FieldRule
from airflow_provider_esp.core.models import Import, SendResult, Submitted
from airflow_provider_esp.core.outcomes import HELD_BACK
from airflow_provider_esp.core.send.run import SendTarget
from airflow_provider_esp.core.upload.run import UploadTarget
from airflow_provider_esp.exceptions import DryRunWrite, EspError
from airflow_provider_esp.utils.redaction import redact

T = TypeVar("T")
Item = TypeVar("Item")

_TELLING = frozenset(
    {
        *("contactFields", "customFieldsIDs", "dedupeOn", "eventKeyForNewContacts", "eventTypeKey", "fieldId"),
        *("groupNames", "groupNamesExclude", "restoreDeleted", "type", "confirmation", "message_lang", "tags"),
    }
)
"""Keys whose values say how something is done and not to whom: they are shown."""

_ITEMS_SHOWN = 1
_PAIRS_SHOWN = 30


def writes(call: Call[Any]) -> bool:
    """Check whether a call may change something at the service: whatever is not a GET, and a GET by its verb only."""
    return call.method != "GET" or not call.repeatable


def only_reads(work: Call[T] | Flow[T]) -> Flow[T]:
    """Carry out a flow up to the first call that writes.

    :raises DryRunWrite: there is one.
    """

    def refuse(call: Call[Any]) -> bool:
        if writes(call):
            raise DryRunWrite(f"The dry run came to {call.name}, which writes: nothing was sent.")
        return False

    return (yield from _until(work, refuse))


class Preview:
    """What a dry run keeps back.

    :ivar requests: how many requests that write it would have made.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._first: Call[Any] | None = None
        self._lock = threading.Lock()

    def of(self, work: Call[Any] | Flow[Any]) -> Flow[None]:
        """Carry out what a flow reads, up to the first call that writes, which is kept back."""
        try:
            yield from _until(work, self._keep_back)
        except _KeptBack:
            return

    def shown(self) -> str:
        """Draw the first request that was kept back; nobody can be recognised in it."""
        if self._first is None:
            return "Dry run: no request would have been made."
        body = _masked_body(self._first)
        return f"Dry run: the first request would have been {self._first.name}" + (f"\n{body}" if body else ".")

    def _keep_back(self, call: Call[Any]) -> bool:
        if not writes(call):
            return False
        with self._lock:
            self.requests += 1
            self._first = self._first or call
        raise _KeptBack


class _KeptBack(Exception):
    """A flow has come to a call that writes."""


def _until(work: Call[T] | Flow[T], look: Callable[[Call[Any]], object]) -> Flow[T]:
    """Carry out a flow, and look at each of its calls first; what looking raises ends it."""
    flow: Generator[Call[Any], Any, T] = iter(work)
    step = partial(next, flow)
    try:
        while True:
            try:
                call = step()
            except StopIteration as end:
                answer: T = end.value
                return answer
            look(call)
            try:
                step = partial(flow.send, (yield call))
            except EspError as failure:
                step = partial(flow.throw, failure)
    finally:
        flow.close()


# -- in place of where rows go --------------------------------------------------------------------------------------


class DryUpload:
    """Stands in for where contacts go: makes the requests and keeps them back.

    :param target: where they would have gone.
    :param preview: what keeps the requests.
    """

    def __init__(self, target: UploadTarget, preview: Preview) -> None:
        self._target = target
        self._preview = preview

    @property
    def batch_size(self) -> int:
        """Contacts in a request at the most."""
        return self._target.batch_size

    @property
    def identity(self) -> Sequence[str]:
        """The fields of which a contact needs one."""
        return self._target.identity

    @property
    def names(self) -> Sequence[str]:
        """The fields by which an import may name a contact."""
        return self._target.names

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """What the service asks of single fields."""
        return self._target.rules

    def groups(self, contacts: ContactColumns) -> Sequence[Sequence[int]]:
        """Divide contacts into those that can travel in one request."""
        return self._target.groups(contacts)

    def submit(self, contacts: ContactColumns) -> Flow[Submitted]:
        """Make the request, and keep it back."""
        yield from self._preview.of(self._target.submit(contacts))
        return Submitted(held_back=True)

    def import_state(self, import_id: str) -> Flow[Import]:
        """Ask how far an import is: a dry run begins none."""
        return self._target.import_state(import_id)


class DrySend(Generic[Item]):
    """Stands in for where messages or events go: makes the requests and keeps them back.

    :param target: where they would have gone.
    :param preview: what keeps the requests.
    """

    def __init__(self, target: SendTarget[Item], preview: Preview) -> None:
        self._target = target
        self._preview = preview

    @property
    def batch_size(self) -> int:
        """Items in a request at the most."""
        return self._target.batch_size

    def send(self, items: Sequence[Item]) -> Flow[list[SendResult]]:
        """Make the request, and keep it back."""
        yield from self._preview.of(self._target.send(items))
        return [SendResult(accepted=False, reason=HELD_BACK, held_back=True)] * len(items)


# -- showing a request ----------------------------------------------------------------------------------------------


def _masked_body(call: Call[Any]) -> str:
    if call.content is None:
        return ""
    if call.content_type == FORM:
        body: Any = dict(parse_qsl(call.content.decode(), keep_blank_values=True))
    else:
        try:
            body = msgspec.json.decode(call.content)
        except msgspec.DecodeError:
            return f"({len(call.content):,} bytes that are not JSON)"
    return json.dumps(masked(body), indent=2, ensure_ascii=False)


def masked(value: Any, key: str = "") -> Any:
    """Show how something is built without saying whom it is about.

    Of a list of people the first is shown, of pairs that name a field's value there may be many. Texts and numbers
    become what they are, except where their key says that they are about the request.
    """
    match value:
        case dict():
            named = "value" in value  # in a pair of name and value the name is a field's; elsewhere it is a person's
            return {
                redact(str(name)): item if named and name in ("name", "id") else masked(item, str(name))
                for name, item in value.items()
            }
        case list():
            pairs = key in _TELLING or any(isinstance(item, dict) and "value" in item for item in value)
            shown = [masked(item, key) for item in value[: _PAIRS_SHOWN if pairs else _ITEMS_SHOWN]]
            more = len(value) - len(shown)
            return [*shown, f"… and {more:,} more"] if more else shown
        case str():
            return redact(value) if key in _TELLING else _masked_text(value)
        case bool() | int() | float():
            return value if key in _TELLING else f"<{'true or false' if isinstance(value, bool) else 'number'}>"
    return value


def _masked_text(value: str) -> Any:
    """Look into a text that is JSON, as eSputnik's ``jsonParam`` is."""
    if value[:1] in "[{":
        try:
            return masked(json.loads(value))
        except (ValueError, RecursionError):
            return "<text>"
    return "<text>"
