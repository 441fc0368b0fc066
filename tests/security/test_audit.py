"""`scripts/audit.py`, as a process: what it says of known holes, and that it holds nobody up where it cannot ask."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[[str, str, str], None]
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "audit.py"
HOLES: dict[str, list[str]] = {}


@pytest.fixture
def index() -> Iterator[str]:
    """An index of advisories on loopback, which knows those of `HOLES`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            names = [query["package"]["name"] for query in asked if query["version"]]
            results: list[Mapping[str, Any]] = [
                {"vulns": [{"id": one} for one in HOLES[name]]} if name in HOLES else {} for name in names
            ]
            body = json.dumps({"results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    HOLES.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/querybatch"
    server.shutdown()
    server.server_close()


def audit(index: str) -> tuple[int, str]:
    ended = subprocess.run([sys.executable, SCRIPT, index], capture_output=True, text=True, check=False)
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_a_hole_in_what_we_ask_for_is_an_error(index: str, refused: Refused) -> None:
    HOLES["msgspec"] = ["GHSA-1", "GHSA-2"]
    code, said = audit(index)
    assert code == 1
    assert "GHSA-1, GHSA-2 (raise its lower bound and its pins)" in said
    refused("known hole", "make lint: in what we name", "exit 1, with its id")


def test_a_hole_in_what_comes_with_it_is_named(index: str) -> None:
    HOLES["attrs"] = ["GHSA-3"]
    code, said = audit(index)
    assert code == 0
    assert "GHSA-3 (comes with something else)" in said
    assert "1 of them with a known hole" in said


def test_without_holes_it_says_how_many_packages_it_asked_about(index: str) -> None:
    code, said = audit(index)
    assert (code, said.count("\n")) == (0, 1)
    assert said.startswith("Audited ")


def test_where_no_index_can_be_reached_it_is_skipped_with_the_reason() -> None:
    code, said = audit("http://127.0.0.1:1/v1/querybatch")
    assert code == 0
    assert said == "Audit skipped: http://127.0.0.1:1/v1/querybatch cannot be reached or read (URLError).\n"
