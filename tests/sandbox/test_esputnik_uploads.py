"""Importing a file by its link."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

PATH = "/v1/contacts/upload"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """A web server over `tmp_path`; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_file_becomes_contacts(sandbox: Sandbox, esputnik: httpx.Client, files: str, tmp_path: Path) -> None:
    text = "Email,First name,City,LOYALTY.TIER,Nonsense\nanna@example.com,Anna,Lviv,gold,x\nnobody,No,,,\n"
    (tmp_path / "people.csv").write_text(text, encoding="utf-8")
    body = {"dedupeOn": "email", "link": f"{files}/people.csv", "groupNames": ["File"]}
    answer = esputnik.post(PATH, json=body).json()
    assert answer["valid"] is True
    sandbox.advance(2)
    status = esputnik.get(f"/v1/importstatus/{answer['importId']}").json()
    assert status["mapping"]["dedupeValue"] == "anna@example.com"
    (contact,) = sandbox.rows("esputnik", "contacts")
    assert (contact["name"], contact["custom"], contact["segments"]) == ("Anna", {"LOYALTY.TIER": "gold"}, ["File"])
    assert contact["address"] == {"town": "Lviv"}


def test_columns_that_are_not_there_are_left_alone(
    sandbox: Sandbox, esputnik: httpx.Client, files: str, tmp_path: Path
) -> None:
    channel = {"type": "email", "value": "anna@example.com"}
    esputnik.post("/v1/contact", json={"channels": [channel], "firstName": "Anna", "lastName": "K"})
    (tmp_path / "people.csv").write_text("Email,Last name\nanna@example.com,\n")
    esputnik.post(PATH, json={"dedupeOn": "email", "link": f"{files}/people.csv"})
    sandbox.advance(2)
    assert sandbox.rows("esputnik", "contacts")[0]["name"] == "Anna"


def test_the_session_may_have_another_name(
    sandbox: Sandbox, esputnik: httpx.Client, files: str, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("Email\nanna@example.com\n")
    sandbox.set(esputnik__upload_key="asyncSessionId")
    answer = esputnik.post(PATH, json={"dedupeOn": "email", "link": f"{files}/people.csv"}).json()
    assert "importId" not in answer
    assert esputnik.get(f"/v1/importstatus/{answer['asyncSessionId']}").json()["status"] == "STARTED"


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "latin.csv"])
def test_a_file_that_cannot_be_read_is_not_valid(esputnik: httpx.Client, files: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "latin.csv").write_bytes(b"Email\n\xe9@example.com\n")
    answer = esputnik.post(PATH, json={"dedupeOn": "email", "link": f"{files}/{name}"}).json()
    assert answer["valid"] is False
    assert "importId" not in answer


@pytest.mark.parametrize(
    "link",
    ["http://shop.example/people.csv", "https://127.0.0.1/x", "file:///etc/passwd", "http://[", "http://127.0.0.1:x/"],
)
def test_nothing_beyond_this_machine_is_ever_fetched(esputnik: httpx.Client, link: str) -> None:
    answer = esputnik.post(PATH, json={"dedupeOn": "email", "link": link})
    assert (answer.status_code, answer.json()["valid"]) == (200, False)


def test_a_file_may_be_fetched_from_the_sandbox_itself(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    # Fetching must not hold what the other request needs.
    answer = esputnik.post(PATH, json={"dedupeOn": "email", "link": f"{sandbox.url}/"}, timeout=60)
    assert answer.status_code == 200
