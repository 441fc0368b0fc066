"""The page of the email services in a real browser, over a real Airflow with runs in every state.

With ESP_PICTURES naming a folder, each view is photographed in light and dark for the documentation.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.browsing import browser_page

VERSION = tuple(int(number) for number in version("apache-airflow").split(".")[:2])
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VERSION < (3, 1), reason="Airflow has a place for the page since 3.1"),
]

SECRET = "ann.the.secret@example.com"
DAG = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG
from airflow_provider_esp.operators.broadcasts import CreateBroadcastOperator
from airflow_provider_esp.operators.contacts import UploadContactsOperator

people = [{"email": "SECRET"}, *({"email": f"reader{number}@example.com"} for number in range(400))]
wrong = [{"email": f"nobody {number}"} for number in range(40)]
upload = {"esp_conn_id": "esputnik_default", "poll_interval": 2}

with DAG("spring_sale", start_date=datetime(2026, 1, 1), schedule=None, catchup=False):
    CreateBroadcastOperator(
        task_id="broadcast",
        esp_conn_id="esputnik_default",
        title="Spring sale",
        message_id=1001,
        segments="Newsletter",
        wait_for_completion=True,
        settle_time=2,
        poll_interval=1,
        deferrable=False,
    ) >> [
        UploadContactsOperator(task_id="refused", source=wrong, report_path="REPORTS", **upload),
        UploadContactsOperator(task_id="waits", source=people, deferrable=True, **upload),
        UploadContactsOperator(task_id="runs", source=people, deferrable=False, **upload),
    ]
""".replace("SECRET", SECRET)
STATES = {"broadcast": "success", "refused": "failed", "waits": "deferred", "runs": "running"}
PLACES = "SELECT 1 WHERE (SELECT count(*) FROM task_instance WHERE dag_id = 'spring_sale' AND ({})) = {}"


@dataclass
class Seen:
    """What was seen.

    :ivar text: of each view, as a person reads it.
    :ivar serious: what axe-core calls serious or critical, by view.
    :ivar console: errors in the browser's console, by view.
    :ivar fetched: what the page's own routes answered.
    :ivar wide: views that do not fit into 375 pixels.
    """

    text: dict[str, str] = field(default_factory=dict)
    serious: dict[str, list[str]] = field(default_factory=dict)
    console: dict[str, list[str]] = field(default_factory=dict)
    fetched: list[tuple[str, int, str]] = field(default_factory=list)
    wide: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def seen(start_airflow: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One run with a task in each state, and a person who looks at every view of it."""
    reports = tmp_path_factory.mktemp("reports")
    with Sandbox(settings={"import_seconds": 100_000.0}) as sandbox, browser_page(width=1280, height=900) as page:
        sandbox.do("esputnik", "make_contacts", count=40, segment="Newsletter")
        connection = {
            "conn_type": "esputnik",
            "host": sandbox.esputnik_url,
            "password": "sandbox-key",
            "extra": {"timezone": "Europe/Kyiv"},
        }
        airflow = start_airflow(
            AIRFLOW_CONN_ESPUTNIK_DEFAULT=json.dumps(connection),
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
            AIRFLOW__ESP__REPORT_ROOTS=str(reports),
            AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT="60",  # seconds: a busy machine is slow
        )
        (airflow.dags / "spring_sale.py").write_text(DAG.replace("REPORTS", str(reports)))
        airflow.start()
        known = "SELECT 1 FROM serialized_dag WHERE dag_id = 'spring_sale'"
        airflow.wait_until(lambda: airflow.rows(known), 120, "Parsing the DAG")
        airflow.command("dags", "trigger", "spring_sale", "--run-id", "one")
        there = " OR ".join(f"(task_id = '{task}' AND state = '{state}')" for task, state in STATES.items())
        airflow.wait_until(lambda: airflow.rows(PLACES.format(there, len(STATES))), 240, "One task in each state")
        left = "SELECT 1 FROM xcom WHERE task_id = 'waits' AND key = 'esp_wait'"
        airflow.wait_until(lambda: airflow.rows(left), 60, "A look of the trigger")
        try:
            yield look(airflow, page)
        finally:
            sandbox.advance(100_001)  # what waits may end, and Airflow with it


def look(airflow: Any, page: Any) -> Seen:
    """Open every view, as a person does."""
    seen = Seen()
    errors: list[str] = []
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer) if "/esp/api/" in answer.url else None)
    for name, (path, shown) in VIEWS.items():
        errors.clear()
        answers.clear()
        page.goto(f"{airflow.url}/{path}")
        page.locator(".esp").get_by_text(shown).first.wait_for()
        seen.text[name] = page.locator(".esp").first.inner_text()
        seen.fetched += [(answer.url, answer.status, answer.text()) for answer in list(answers)]
        seen.serious[name] = serious(page)
        seen.console[name] = list(errors)
        photograph(page, name)
        page.set_viewport_size({"width": 375, "height": 800})
        seen.wide[name] = page.evaluate(
            "document.querySelector('.esp').scrollWidth - document.querySelector('.esp').clientWidth"
        )
        page.set_viewport_size({"width": 1280, "height": 900})
    seen.keys = walk(airflow, page)
    return seen


OTHER = {"light": "dark", "dark": "light"}
VIEWS = {
    "runs": ("plugin/esp?view=runs", "open imports"),
    "campaigns": ("plugin/esp?view=campaigns", "Spring sale"),
    "refused": ("plugin/esp?view=refused&dag_id=spring_sale&run_id=one&task_id=refused&map_index=-1", "no***"),
    "dag": ("dags/spring_sale/plugin/esp-dag", "waits"),
    "run": ("dags/spring_sale/runs/one/plugin/esp-run", "waits"),
    "card": ("", "rows accepted"),
}


def serious(page: Any) -> list[str]:
    """Have axe-core look at our part of the page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=".esp").response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}: {node.get('failureSummary')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def photograph(page: Any, name: str) -> None:
    if "ESP_PICTURES" not in os.environ:
        return
    for look in ("dark", "light"):
        page.evaluate("look => document.documentElement.classList.replace(...look)", [OTHER[look], look])
        page.screenshot(path=Path(os.environ["ESP_PICTURES"]) / f"page-{name}-{look}.png")


def walk(airflow: Any, page: Any) -> list[str]:
    """Go through the tabs with the keyboard alone; gives the names that were chosen."""
    page.goto(f"{airflow.url}/plugin/esp")
    page.get_by_role("tab", name="Runs").focus()
    chosen = []
    for key in ("ArrowRight", "ArrowRight", "End", "Home", "ArrowLeft"):
        page.keyboard.press(key)
        chosen.append(page.get_by_role("tab", selected=True).inner_text())
    return chosen


def test_runs_show_their_numbers_and_what_they_wait_for(seen: Seen) -> None:
    told = seen.text["runs"]
    for task in STATES:
        assert task in told
    assert "401 rows · 401 accepted" in told
    assert "40 rows · 40 invalid" in told
    assert "0 of 1 imports have ended" in told  # what the trigger leaves
    assert "waits until" in told
    assert "rows were refused and max_rejects allows 0" in told


def test_a_campaign_shows_its_funnel_and_audience(seen: Seen) -> None:
    told = seen.text["campaigns"]
    assert "Newsletter" in told
    assert re.search(r"delivered\s+40", told)


def test_refused_rows_are_counted_by_reason_and_masked(seen: Seen) -> None:
    told = seen.text["refused"]
    assert "40" in told
    assert "nobody 1" not in told


def test_a_dag_and_a_run_have_the_same_narrowed(seen: Seen) -> None:
    for view in ("dag", "run"):
        assert "401 rows · 401 accepted" in seen.text[view]


def test_the_dashboard_sums_the_day_up(seen: Seen) -> None:
    assert re.search(r"\d rows accepted", seen.text["card"])
    assert "1 failed" in seen.text["card"]


def test_no_address_is_in_what_the_page_fetches(seen: Seen) -> None:
    assert len(seen.fetched) >= len(VIEWS)
    assert {status for _, status, _ in seen.fetched} == {200}
    for url, _, text in seen.fetched:
        assert "example.com" not in text, url


def test_axe_finds_nothing_serious(seen: Seen) -> None:
    assert seen.serious == {view: [] for view in VIEWS}


def test_the_browser_reports_no_error(seen: Seen) -> None:
    assert seen.console == {view: [] for view in VIEWS}


def test_every_view_fits_into_375_pixels(seen: Seen) -> None:
    assert {name: over for name, over in seen.wide.items() if over > 0} == {}


def test_tabs_are_walked_by_keyboard(seen: Seen) -> None:
    assert seen.keys[0] == "Campaigns"
    assert seen.keys[3] == "Runs"
    assert seen.keys[4] == seen.keys[2]
