"""Task instances with what they left behind, read from Airflow's own tables.

This is the one private surface that the page builds upon: Airflow's public API gives lists of XComs without values,
and the state of one task instance a request. A page costs the same number of statements however many runs there are:
one for the task instances, one for each kind of record, one for what became of mapped ones. Ids of task instances grow
with the time (UUID 7), so the newest are found by the primary key, and the last id of a page is where the next begins.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import func, select, tuple_

from airflow_provider_esp.core.outcomes import Outcome
from airflow_provider_esp.links.esp import XCOM_KEY as LINKS
from airflow_provider_esp.plugins.page.operators import all_names
from airflow_provider_esp.stores.run_records import KEY as RECORD
from airflow_provider_esp.stores.run_records import WAIT

try:
    from airflow.models.task_state_store import TaskStateStoreModel
except ImportError:  # before Airflow 3.3
    TaskStateStoreModel = None  # type: ignore[assignment,misc]

PAGE = 50
"""Task instances in one answer."""

RESULT = "return_value"
_SHOWN = {
    *Outcome,
    *("rows", "report_path", "dry_run", "broadcast_id", "title", "state", "status", "reason"),
    *("total", "sent", "delivered", "undelivered", "failed", "pending", "words"),
    *("read", "clicked", "unsubscribed", "complained", "bounced"),
}
"""What is shown of a task's result: no list of ids, and nothing that an author's own class adds."""

_DAY = 24 * 60 * 60
_MOST_OF_DAY = 1000
_UNMAPPED = -1
Where = tuple[str, str, str, int]
"""DAG, run, task and map index of a task instance."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person has asked for.

    :ivar dags: those that the person may read.
    :ivar operators: names of classes; empty for all of this provider.
    :ivar state: of the task instance; ``none`` for one that has not been scheduled.
    :ivar task_id: with it the instances of a mapped task are given one by one.
    :ivar cursor: the id behind which the page begins.
    """

    dags: Collection[str]
    run_id: str | None = None
    task_id: str | None = None
    operators: Collection[str] = ()
    state: str | None = None
    cursor: str | None = None


def read_page(session: Any, wanted: Wanted) -> dict[str, Any]:
    """Read one page of task instances, the newest first.

    A mapped task is one line with the states of its instances, unless the task is asked for by name.

    :returns: ``runs``, and ``next``: the cursor of the next page, None on the last.
    :raises ValueError: the cursor is none.
    """
    instances = session.scalars(_statement(wanted)).all()
    shown, more = instances[:PAGE], len(instances) > PAGE
    places = [_where(ti) for ti in shown]
    kept = _kept(session, places)
    groups = {place[:3] for place in places if place[3] != _UNMAPPED and not wanted.task_id}
    states = _states(session, groups) if not wanted.task_id else {}
    runs = [_as_dict(ti, kept.get(_where(ti), {}), states.get(_where(ti)[:3])) for ti in shown]
    return {"runs": runs, "next": str(shown[-1].id) if more else None}


def read_day(session: Any, dags: Collection[str], now: float) -> dict[str, Any]:
    """Sum up the newest task instances that began within a day before a moment.

    :param now: in Unix time.
    """
    since = datetime.fromtimestamp(now - _DAY, UTC)
    statement = (
        select(TaskInstance)
        .where(
            TaskInstance.dag_id.in_(dags),
            TaskInstance.operator.in_(all_names()),
            TaskInstance.start_date >= since,
        )
        .order_by(TaskInstance.id.desc())
        .limit(_MOST_OF_DAY + 1)
    )
    found = session.scalars(statement).all()
    instances = found[:_MOST_OF_DAY]
    kept = _kept(session, [_where(ti) for ti in instances])
    counts = dict.fromkeys(map(str, Outcome), 0)
    for ti in instances:
        facts = kept.get(_where(ti), {})
        record = _of_this_try(facts.get(RECORD, {}), ti.try_number)
        told = record.get("counts") or facts.get(RESULT, {})
        if not (record.get("dry_run") or facts.get(RESULT, {}).get("dry_run")):
            for outcome in counts:
                counts[outcome] += rows if isinstance(rows := told.get(outcome), int) else 0
    states = [str(ti.state) for ti in instances]
    return {
        "tasks": len(instances),
        "partial": len(found) > len(instances),
        "counts": counts,
        "waiting": sum(state in ("deferred", "running", "queued", "up_for_retry") for state in states),
        "failed": states.count("failed"),
    }


def read_one(session: Any, where: Where) -> dict[str, Any] | None:
    """Read what one task instance of this provider left behind; None where there is no such task instance."""
    columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
    same = [column == value for column, value in zip(columns, where, strict=True)]
    ti = session.scalars(select(TaskInstance).where(*same, TaskInstance.operator.in_(all_names()))).one_or_none()
    return None if ti is None else _as_dict(ti, _kept(session, [where]).get(where, {}), None)


def _statement(wanted: Wanted) -> Any:
    names = all_names()
    statement = select(TaskInstance).where(
        TaskInstance.dag_id.in_(wanted.dags),
        TaskInstance.operator.in_([name for name in wanted.operators if name in names] or names),
    )
    if wanted.run_id is not None:
        statement = statement.where(TaskInstance.run_id == wanted.run_id)
    if wanted.task_id is not None:
        statement = statement.where(TaskInstance.task_id == wanted.task_id)
    else:
        statement = statement.where(TaskInstance.map_index <= 0)  # the first stands for all of a mapped task
    if wanted.state is not None:
        statement = statement.where(_is_in(wanted.state, mapped=wanted.task_id is None))
    if wanted.cursor is not None:
        statement = statement.where(TaskInstance.id < _as_id(wanted.cursor))
    return statement.order_by(TaskInstance.id.desc()).limit(PAGE + 1)


def _is_in(state: str, *, mapped: bool) -> Any:
    """Return the condition of a state; a mapped task is in each state that one of its instances is in."""
    from sqlalchemy.orm import aliased

    if not mapped:
        return _state_of(TaskInstance, state)
    any_of = aliased(TaskInstance)
    return (
        select(any_of.id)
        .where(
            any_of.dag_id == TaskInstance.dag_id,
            any_of.run_id == TaskInstance.run_id,
            any_of.task_id == TaskInstance.task_id,
            _state_of(any_of, state),
        )
        .exists()
    )


def _state_of(instance: Any, state: str) -> Any:
    return instance.state.is_(None) if state == "none" else instance.state == state


def _as_id(cursor: str) -> Any:
    """Read a cursor as the type that ids have in this Airflow.

    :raises ValueError: it is no id.
    """
    found = UUID(cursor)
    kind = TaskInstance.__table__.c.id.type.python_type
    return found if kind is UUID else str(found)


def _where(row: Any) -> Where:
    return row.dag_id, row.run_id, row.task_id, row.map_index


def _kept(session: Any, places: Sequence[Where]) -> dict[Where, dict[str, Any]]:
    """Read records, results and links of task instances: values by place and key."""
    found: defaultdict[Where, dict[str, Any]] = defaultdict(dict)
    models: list[tuple[Any, tuple[str, ...]]] = [(XComModel, (RECORD, RESULT, LINKS, WAIT))]
    if TaskStateStoreModel is not None:
        models.append((TaskStateStoreModel, (RECORD,)))
    for model, keys in models:
        columns: Any = (model.dag_id, model.run_id, model.task_id, model.map_index)
        statement = select(*columns, model.key, model.value).where(model.key.in_(keys), tuple_(*columns).in_(places))
        for *place, key, value in session.execute(statement) if places else ():
            found[tuple(place)][key] = {**found[tuple(place)].get(key, {}), **_mapping(value)}
    return found


def _mapping(value: Any) -> dict[str, Any]:
    """Read a value as it stands in the table; what is no mapping is none of ours."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def _states(session: Any, groups: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], dict[str, int]]:
    """Count the instances of mapped tasks by state."""
    columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id)
    statement = (
        select(*columns, TaskInstance.state, func.count())
        .where(tuple_(*columns).in_(groups or [("", "", "")]))
        .group_by(*columns, TaskInstance.state)
    )
    found: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for dag_id, run_id, task_id, state, number in session.execute(statement):
        found[dag_id, run_id, task_id][str(state or "none")] = number
    return found


def _as_dict(ti: Any, kept: dict[str, Any], states: dict[str, int] | None) -> dict[str, Any]:
    return {
        "id": str(ti.id),
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index,
        "operator": ti.operator,
        "state": str(ti.state) if ti.state else None,
        "try": ti.try_number,
        "most_tries": (ti.max_tries or 0) + 1,
        "start": _moment(ti.start_date),
        "end": _moment(ti.end_date),
        "mapped": states,
        "record": _of_this_try(kept.get(RECORD, {}), ti.try_number),
        "result": {name: value for name, value in kept.get(RESULT, {}).items() if name in _SHOWN},
        "wait": kept.get(WAIT, {}),
        "links": kept.get(LINKS, {}),
    }


def _of_this_try(record: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the record where it is of the present try; a task's state outlives the try that left it."""
    return record if record.get("try") == number else {}


def _moment(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
