"""A person approves one send, rejects another and follows the tasks' links, in a real browser on a real Airflow.

With ``ESP_PICTURES`` naming a folder, what the browser shows is kept there for the docs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from airflow_provider_esp.sandbox import Sandbox
from tests.e2e.browsing import browser_page
from tests.e2e.real_airflow import IS_AIRFLOW_2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(IS_AIRFLOW_2, reason="Airflow has human-in-the-loop operators since 3.1"),
]

EXAMPLES = Path(__file__).parents[2] / "example_dags"
ANSWERS = {"approved": "Approve", "rejected": "Reject"}
BUTTONS = {"upload": ["Sandbox"], "rehearsal": ["Message", "Sandbox"], "send": ["Message", "Report", "Sandbox"]}
"""Links that a task's page has; a connection to the sandbox has no page of the service's own."""


@dataclass(frozen=True)
class Reached:
    """The page that a click led to."""

    url: str
    status: int
    text: str


@dataclass
class Seen:
    """What was seen of both runs.

    :ivar shown: the text of the page that each person decided on, by run.
    :ivar pages: where the links of the approved run lead, by task and link.
    """

    airflow: Any
    sandbox: Sandbox
    shown: dict[str, str]
    pages: dict[tuple[str, str], Reached]


@pytest.fixture(scope="module")
def seen(start_airflow: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Two runs of the example, each answered by a person."""
    demo = tmp_path_factory.mktemp("demo")
    with (
        # Airflow 3.3 fails a task that is resumed before its scheduler has noted that the worker is free
        # (apache/airflow#72716), so the imports are not too short for a slow machine.
        Sandbox(settings={"import_seconds": 10.0}) as sandbox,
        served(demo) as reports,
        browser_page(width=1100, height=760) as page,
    ):
        airflow = start_airflow(
            ESP_DEMO_DIR=str(demo),
            AIRFLOW__ESP__REPORT_LINK_TEMPLATE=f"{reports}/{{path}}",
            AIRFLOW_CONN_ESPUTNIK_DEFAULT=json.dumps(
                {"conn_type": "esputnik", "host": sandbox.esputnik_url, "password": "sandbox-key"}
            ),
            AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        )
        shutil.copy(EXAMPLES / "approve_then_send.py", airflow.dags)
        (airflow.dags / "data").mkdir()
        shutil.copy(EXAMPLES / "data" / "customers.csv", airflow.dags / "data")
        airflow.start()
        known = "SELECT 1 FROM serialized_dag WHERE dag_id = 'approve_then_send'"
        airflow.wait_until(lambda: airflow.rows(known), 90, "Parsing the example")
        for run_id in ANSWERS:
            airflow.command("dags", "trigger", "approve_then_send", "--run-id", run_id)
        asked = "SELECT 1 WHERE (SELECT count(*) FROM hitl_detail) = 2"
        airflow.wait_until(lambda: airflow.rows(asked), 300, "Getting to the question")
        shown = {run_id: answer(airflow, page, run_id) for run_id in ANSWERS}
        ended = "SELECT 1 WHERE (SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')) = 2"
        airflow.wait_until(lambda: airflow.rows(ended), 180, "Going on after the answers")
        pages = {(task, name): told for task in BUTTONS for name, told in follow_links(airflow, page, task)}
        yield Seen(airflow, sandbox, shown, pages)


def answer(airflow: Any, page: Any, run_id: str) -> str:
    """Open the question as a person does, look, and answer; gives what the page says."""
    where = f"dags/approve_then_send/runs/{quote(run_id)}/tasks/approval/required_actions"
    page.goto(f"{airflow.url}/{where}")
    page.get_by_text("people will get").first.wait_for()
    said: str = page.inner_text("body")
    if "ESP_PICTURES" in os.environ:
        page.screenshot(path=Path(os.environ["ESP_PICTURES"]) / f"approval-{run_id}.png")
    page.get_by_role("button", name=ANSWERS[run_id]).click()
    page.get_by_text("Response received").first.wait_for()
    return said


def follow_links(airflow: Any, page: Any, task: str) -> Iterator[tuple[str, Reached]]:
    """Open a task's page where Airflow 3.3 shows its links, under *Details*, and click on each."""
    page.goto(f"{airflow.url}/dags/approve_then_send/runs/approved/tasks/{task}/details")
    links = page.get_by_role("link", name=re.compile("^(Message|Report|Sandbox|Service)$"))
    links.first.wait_for()
    if "ESP_PICTURES" in os.environ and task == "send":
        page.screenshot(path=Path(os.environ["ESP_PICTURES"]) / "links.png")
    statuses: dict[str, int] = {}

    def note(answer: Any) -> None:
        statuses[answer.url] = answer.status

    page.context.on("response", note)
    for number in range(links.count()):
        with page.expect_popup() as opened:
            links.nth(number).click()
        opened.value.wait_for_url(re.compile("^http"))
        url, text = opened.value.url, opened.value.inner_text("body")
        opened.value.close()
        yield links.nth(number).inner_text(), Reached(url, statuses[url], text)
    page.context.remove_listener("response", note)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Show what is in a folder, as a company's file server would, by the whole path; gives the server's address."""

    class Files(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            asked = Path(unquote(urlsplit(path).path)[1:])
            return str(asked if asked.is_relative_to(folder) else folder / "nothing")

        def log_message(self, *told: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def states(seen: Seen, run_id: str) -> dict[str, str]:
    rows = seen.airflow.rows("SELECT task_id, state FROM task_instance WHERE run_id = ?", run_id)
    return {row["task_id"]: row["state"] for row in rows}


def returned(seen: Seen, task: str) -> dict[str, Any]:
    select = "SELECT value FROM xcom WHERE task_id = ? AND run_id = 'approved' AND key = 'return_value'"
    (row,) = seen.airflow.rows(select, task)
    value: dict[str, Any] = json.loads(row["value"])
    return value


def test_the_person_sees_how_many_people_the_subject_the_first_message_and_a_link(seen: Seen) -> None:
    for said in seen.shown.values():
        assert "people will get Win-back" in said
        assert "we have missed you" in said
        assert "Here is 20 % off your next order." in said
        assert "The message at the service" in said
        assert "@example.com" not in said


def test_a_tasks_page_has_its_links_and_each_leads_to_a_page_that_exists(seen: Seen) -> None:
    assert sorted(seen.pages) == [(task, name) for task in sorted(BUTTONS) for name in BUTTONS[task]]
    assert {reached.status for reached in seen.pages.values()} == {200}


def test_the_links_lead_to_the_very_thing(seen: Seen) -> None:
    (import_id,) = returned(seen, "upload")["imports"]
    assert import_id in seen.pages["upload", "Sandbox"].text
    for task in ("rehearsal", "send"):
        assert "Win-back" in seen.pages[task, "Message"].text
        assert "Order receipt" not in seen.pages[task, "Message"].text  # another message
    messages = seen.pages["send", "Sandbox"].text
    assert "we have missed you" in messages
    assert "Nothing yet" not in messages
    assert ".ndjson" in seen.pages["send", "Report"].text


def test_what_was_approved_is_sent(seen: Seen) -> None:
    assert set(states(seen, "approved").values()) == {"success"}
    sent = seen.sandbox.counts()["esputnik"]["messages"]
    assert sent == returned(seen, "send")["accepted"] > 20
    assert f"{sent} people" in seen.shown["approved"]


def test_what_was_rejected_is_not_sent(seen: Seen) -> None:
    found = states(seen, "rejected")
    assert found["send"] == "skipped"
    assert {state for task, state in found.items() if task != "send"} == {"success"}
    assert len(seen.sandbox.requests("*/smartsend")) == 1  # that of the run that was approved
