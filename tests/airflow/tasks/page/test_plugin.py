"""What the plugin offers, and that a task pays nothing for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest

from airflow_provider_esp.get_provider_info import get_provider_info
from airflow_provider_esp.plugins.esp_page import EspPage
from airflow_provider_esp.plugins.page.operators import all_names

PAYS = """
import json, sys
import airflow
from airflow.providers.common.compat.sdk import BaseOperator, conf
from airflow.providers.common.compat.sdk import AirflowPlugin
before = set(sys.modules)
from importlib import import_module
from importlib.metadata import entry_points
(point,) = entry_points(group="airflow.plugins", name="esp")
plugin = point.load()()
plugin.on_load()
plugin.macros, plugin.listeners
new = set(sys.modules) - before
heavy = ("fastapi", "starlette", "httpx", "pyarrow")
print(json.dumps({
    "ours": sorted(name for name in new if name.startswith("airflow_provider_esp")),
    "heavy": sorted(name for name in new if name.partition(".")[0] in heavy),
}))
"""


def test_the_plugin_is_found_by_its_entry_point() -> None:
    (found,) = entry_points(group="airflow.plugins", name="esp")
    assert found.load() is EspPage


def test_a_task_loads_three_modules_of_ours_at_most_and_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PAYS], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["ours"]) <= 3, found
    assert found["heavy"] == []


def test_each_place_in_the_ui_has_a_module_of_its_own_address_that_is_there(as_person: Callable[..., Any]) -> None:
    apps = EspPage().react_apps
    assert [app["destination"] for app in apps] == ["nav", "dag", "dag_run", "dashboard"]
    assert len({app["bundle_url"] for app in apps}) == len(apps)
    client = as_person("anonymous")
    for app in apps:
        for address in (app["bundle_url"], app["icon"], app["icon_dark_mode"]):
            assert client.get(address).status_code == 200
        assert f'globalThis["{app["name"]}"]' in client.get(app["bundle_url"]).text


def test_airflow_lists_the_page_without_a_complaint(as_person: Callable[..., Any]) -> None:
    client = as_person("admin")
    told = client.get("/api/v2/plugins").json()["plugins"]
    (ours,) = [plugin for plugin in told if plugin["name"] == "esp"]
    assert len(ours["react_apps"]) == 4
    assert client.get("/api/v2/plugins/importErrors").json()["total_entries"] == 0


@pytest.mark.parametrize(
    "path", ["/esp/static/../routes.py", "/esp/static/%2e%2e%2froutes.py", "/esp/static/nothing.js"]
)
def test_nothing_but_the_page_is_given_to_anybody(as_person: Callable[..., Any], path: str) -> None:
    assert as_person("anonymous").get(path).status_code == 404


def test_before_airflow_3_1_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    import airflow

    for version in ("2.11.2", "3.0.6"):
        monkeypatch.setattr(airflow, "__version__", version)
        assert EspPage().react_apps == []
        assert EspPage().fastapi_apps == []


def test_where_the_checks_cannot_be_had_everything_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    from airflow_provider_esp.plugins.page.app import make_app

    monkeypatch.delitem(sys.modules, "airflow_provider_esp.plugins.page.routes", raising=False)
    monkeypatch.delitem(sys.modules, "airflow_provider_esp.plugins.page.access", raising=False)
    monkeypatch.setitem(sys.modules, "airflow.api_fastapi.core_api.security", None)
    client = TestClient(make_app("/esp"))
    assert client.get("/static/page.js").status_code == 200
    for method, path in (("GET", "/api/runs"), ("GET", "/api/today"), ("POST", "/oauth/start/x")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["detail"]) == (503, "Not available on this Airflow.")


def test_every_operator_and_sensor_is_on_the_page() -> None:
    from airflow.providers.common.compat.sdk import BaseOperator

    info = get_provider_info()
    modules = {name for part in ("operators", "sensors") for entry in info[part] for name in entry["python-modules"]}
    public = {
        name
        for module in map(import_module, modules)
        for name, found in vars(module).items()
        if isinstance(found, type) and issubclass(found, BaseOperator) and found.__module__ == module.__name__
    }
    built_upon = {"EventOperator", "ExportOperator", "PeriodOperator"}
    assert set(all_names()) == public - built_upon


def test_an_authors_own_class_is_on_the_page_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ESP__PAGE_OPERATORS", "OurUpload, OurSend ,")
    assert all_names()[-2:] == ("OurUpload", "OurSend")
