"""Records of sends in Airflow's Variables: those of finished sends go when their time is up, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_esp.stores import airflow_variables
from airflow_provider_esp.stores.ledgers import forget_expired, ledger_store


@pytest.fixture
def variables(airflow_db: Path) -> Any:
    from airflow.models.variable import Variable

    yield Variable
    for name in ("esp_ledger", "espXledgerXother"):
        Variable.delete(name)


def store(run_id: str) -> Any:
    ti = SimpleNamespace(dag_id="d", run_id=run_id, task_id="t", map_index=-1)
    return ledger_store({"ti": ti}, None, keep=timedelta(days=7))


def test_only_finished_sends_whose_time_is_up_are_forgotten(variables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_variables, "LOOKS", ())
    variables.set("esp_ledger", '{"keep_until": "2020-01-01T00:00:00+00:00"}')
    variables.set("espXledgerXother", '{"keep_until": "2020-01-01T00:00:00+00:00"}')
    store("unfinished").save({"rows": 3})
    store("finished").save({"rows": 3, "finished_at": "2026-01-01T00:00:00+00:00"})
    now = datetime.now(UTC)
    assert forget_expired(now + timedelta(days=6)) == 0
    assert forget_expired(now + timedelta(days=8)) == 1
    assert store("finished").load() is None
    assert store("unfinished").load() == {"rows": 3}
    assert variables.get("esp_ledger")
    store("unfinished").clear()


def test_every_iteration_of_a_loop_has_its_own_ledger_copy_and_marker(
    variables: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from airflow_provider_esp.core.broadcasts.create import BroadcastLedger
    from airflow_provider_esp.sources import sql as sql_source
    from airflow_provider_esp.utils.task_identity import task_identity

    monkeypatch.setattr(airflow_variables, "LOOKS", ())
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    contexts = [{"ti": ti}, *({"ti": ti, "loop": SimpleNamespace(index=index)} for index in range(2))]
    stores = [ledger_store(context, None) for context in contexts]
    for number, one in enumerate(stores):
        one.save({"rows": number})
    assert [one.load() for one in stores] == [{"rows": 0}, {"rows": 1}, {"rows": 2}]
    for one in stores:
        one.clear()

    markers, copies = set(), set()
    for context, one in zip(contexts, stores, strict=True):
        identity = task_identity(context)
        monkeypatch.setattr(sql_source, "current_task_identity", lambda identity=identity: identity)
        copies.add(str(sql_source.SqlSource("db", "SELECT 1", spool_path=str(tmp_path))._folder()))
        markers.add(BroadcastLedger(one, identity.key).load().marker)
    assert len(markers) == len(copies) == len(contexts)
