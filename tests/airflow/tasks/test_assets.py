"""Asset events and lineage of tasks that Airflow runs: counts, places, and no row."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import airflow
import pytest

from airflow_provider_esp.assets.esp import create_asset
from airflow_provider_esp.operators.contacts import UploadContactsOperator
from airflow_provider_esp.operators.exports import ExportActivityOperator
from airflow_provider_esp.operators.messages import SmartSendOperator
from airflow_provider_esp.sandbox import Sandbox

IS_AIRFLOW_2 = airflow.__version__.startswith("2.")
ANN = "ann@example.com"


@pytest.fixture
def events(airflow_db: Path) -> Callable[[str], list[dict[str, Any]]]:
    """What the events of an asset carry, oldest first."""
    thing = "dataset" if IS_AIRFLOW_2 else "asset"

    def read(uri: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(f"file:{airflow_db}/airflow.db?mode=ro", uri=True)) as db:
            query = f"SELECT e.extra FROM {thing}_event e JOIN {thing} a ON a.id = e.{thing}_id WHERE a.uri = ?"  # noqa: S608
            return [json.loads(extra) for (extra,) in db.execute(f"{query} ORDER BY e.id", (uri,))]

    return read


def known(asset: Any) -> Any:
    """Let Airflow 2 know of a dataset: its `dag.test()` does not, and then keeps no events."""
    if IS_AIRFLOW_2:
        from airflow.utils.session import create_session

        with create_session() as session:
            models: Any = import_module("airflow.models.dataset")
            session.add(models.DatasetModel(uri=asset.uri))
    return asset


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "in the triggerer"])
def test_an_upload_tells_its_asset_how_many_contacts_there_are(
    run: Callable[..., Any], events: Callable[[str], list[dict[str, Any]]], deferrable: bool
) -> None:
    asset = known(create_asset(service="esputnik", account=f"shop-{deferrable}", collection="contacts"))
    upload = UploadContactsOperator(
        task_id="upload",
        esp_conn_id="esputnik_default",
        source=[{"email": ANN}, {"email": "nobody"}],
        max_rejects=1,
        deferrable=deferrable,
        poll_interval=0.1,
        outlets=[asset],
    )
    assert run(upload).state == "success"
    (extra,) = events(asset.uri)
    assert (extra["rows"], extra["accepted"], extra["invalid"], len(extra["imports"])) == (2, 1, 1, 1)
    assert ANN not in json.dumps(extra)


def test_a_send_tells_its_asset_how_many_were_delivered(
    run: Callable[..., Any], events: Callable[[str], list[dict[str, Any]]], sandbox: Sandbox
) -> None:
    asset = known(create_asset(service="esputnik", account="shop", collection="messages", name="1001"))
    send = SmartSendOperator(
        task_id="send",
        esp_conn_id="esputnik_default",
        message_id=1001,
        source=[{"email": ANN}],
        wait_for_delivery=True,
        deferrable=True,
        poll_interval=0.1,
        outlets=[asset],
    )
    assert run(send).state == "success"
    (extra,) = events(asset.uri)
    assert (extra["accepted"], extra["delivered"]) == (1, 1)
    assert "request_ids" not in extra


class _Named:
    """A dataset or a facet of a client that is not installed here."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


@pytest.fixture
def lineage(connections: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lineage be asked for although its client is not installed."""
    from airflow.providers.common.compat.openlineage import facet

    for name in ("Dataset", "OutputDataset", "OutputStatisticsOutputDatasetFacet"):
        monkeypatch.setattr(facet, name, _Named)
    for name in ("airflow.providers.openlineage", "airflow.providers.openlineage.extractors"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["airflow.providers.openlineage.extractors"].OperatorLineage = SimpleNamespace  # type: ignore[attr-defined]


@pytest.mark.usefixtures("lineage")
def test_an_upload_tells_lineage_which_file_became_contacts_where(tmp_path: Path) -> None:
    upload = UploadContactsOperator(
        task_id="upload", esp_conn_id="esputnik_default", source=f"{tmp_path}/people.csv", segments=["Newsletter"]
    )
    upload.ended_with = {"accepted": 7}
    told = upload.get_openlineage_facets_on_complete(None)
    assert [(one.namespace, one.name) for one in told.inputs] == [("file", f"{tmp_path}/people.csv")]
    assert [(one.namespace, one.name, one.outputFacets["outputStatistics"].rowCount) for one in told.outputs] == [
        ("esputnik://esputnik_default", "contacts", 7),
        ("esputnik://esputnik_default", "segments/Newsletter", 7),
    ]


@pytest.mark.usefixtures("lineage")
def test_an_export_tells_lineage_what_became_which_file() -> None:
    export = ExportActivityOperator(task_id="export", esp_conn_id="esputnik_default", path="s3://lake@bucket/a.parquet")
    export.ended_with = {"rows": 7}
    told = export.get_openlineage_facets_on_complete(None)
    assert [(one.namespace, one.name) for one in told.inputs] == [("esputnik://esputnik_default", "activity")]
    assert [(one.namespace, one.name, one.outputFacets["outputStatistics"].rowCount) for one in told.outputs] == [
        ("s3://bucket", "a.parquet", 7)
    ]


def test_an_export_tells_its_asset_what_is_in_the_file(
    run: Callable[..., Any], events: Callable[[str], list[dict[str, Any]]], tmp_path: Path
) -> None:
    asset = known(create_asset(service="esputnik", account="shop", collection="activity"))
    export = ExportActivityOperator(
        task_id="export",
        esp_conn_id="esputnik_default",
        path=f"{tmp_path}/activity.ndjson",
        start="2026-01-01",
        end="2026-01-02",
        outlets=[asset],
    )
    assert run(export).state == "success"
    (extra,) = events(asset.uri)
    assert (extra["rows"], extra["statuses"], extra["start"]) == (0, {}, "2026-01-01T00:00:00+00:00")
