"""What a trigger tells a task, and what a task leaves behind: through JSON and back, of every kind."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from airflow_provider_esp.core import waits
from airflow_provider_esp.core.ledger import OpenImportRecord
from airflow_provider_esp.core.models import BroadcastState, ImportState
from airflow_provider_esp.core.waits import WaitEvent, WaitStatus, encode, read_event

DONE: dict[str, Any] = {"status": WaitStatus.DONE}
EVENTS: list[Any] = [
    waits.ImportsEnded(imports={"a": ImportState.DONE, "b": ImportState.FAILED}, state={"import_id": "a"}, **DONE),
    waits.VerificationEnded(processed=3, **DONE),
    waits.DeliveriesEnded(states={"delivered": 1}, statuses={"READ": 1}, summary={"total": 1}, success=False, **DONE),
    waits.BroadcastEnded(broadcast=waits.BroadcastResult(BroadcastState.DONE, "3 (sent)", "it is sent", 5, 0), **DONE),
    waits.SendWindowOpened(**DONE),
]
STATES: list[Any] = [
    waits.UploadState(
        open=[OpenImportRecord("a", 2, 1, "00ff", "part-1")],
        counts={"accepted": 2},
        reasons={},
        suppression=None,
        imports=["a"],
        imports_total=1,
    ),
    waits.UrlImportState("a"),
    waits.SendState(result={"rows": 2, "request_ids": ["1"]}, reasons="", delivery={}),
    waits.CreatedState("7", "News", "created"),
    waits.VerificationState("7", {"accepted": 2}),
]


def names(values: list[Any]) -> list[str]:
    return [type(value).__name__ for value in values]


def test_the_tables_here_name_every_kind() -> None:
    structs = {name for name, kind in vars(waits).items() if isinstance(kind, msgspec.StructMeta)}
    own = {name for name in structs if getattr(waits, name).__module__ == waits.__name__}
    assert own == {*names(EVENTS), *names(STATES), "WaitEvent", "BroadcastResult"}


@pytest.mark.parametrize("event", EVENTS, ids=names(EVENTS))
@pytest.mark.parametrize("status", WaitStatus)
def test_an_event_comes_back_as_it_was_told(event: WaitEvent, status: WaitStatus) -> None:
    event = msgspec.structs.replace(event, status=status, message="down" if status is WaitStatus.ERROR else "")
    assert read_event(json.loads(json.dumps(encode(event)))) == event


@pytest.mark.parametrize("state", STATES, ids=names(STATES))
def test_a_state_comes_back_as_it_was_left(state: msgspec.Struct) -> None:
    left = encode(waits.ImportsEnded(state=encode(state), **DONE))
    assert read_event(json.loads(json.dumps(left))).left(type(state)) == state


@pytest.mark.parametrize(
    "payload", [{}, {"wait": "imports"}, {"status": "done"}, {"wait": "imports", "status": "over"}, {"wait": "rain"}]
)
def test_what_no_trigger_of_ours_tells_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_event(payload)


def test_a_task_that_another_kind_of_wait_resumes_says_so() -> None:
    with pytest.raises(TypeError, match="waits for ImportsEnded and was resumed by BroadcastEnded"):
        waits.BroadcastEnded(**DONE).expect(waits.ImportsEnded)
