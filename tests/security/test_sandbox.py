"""What a web page elsewhere, or a clumsy request, can do to a running sandbox: in a real browser where that decides."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.oauth import registry
from airflow_provider_esp.sandbox.tls_server import AuthorisationServer
from tests.e2e.browsing import browser_page, require_browser

Refused = Callable[[str, str, str], None]

PAGE = """<!doctype html><title>Elsewhere</title>
<iframe name="hidden"></iframe>
<form id="fault" target="hidden" method="post" enctype="text/plain" action="{url}/_sandbox/faults">
<input name='{{"kind": "html", "path": "*", "body": "<script>document.title=1</script>", "headers": {{"a": "' value='b"}}}}'></form>
<form id="reset" target="hidden" method="post" enctype="text/plain" action="{url}/_sandbox/reset"></form>
<a id="page" href="{url}/">a link</a>
<a id="method" href="{url}/esputnik/api/v1/account/info">a method</a>
<a id="control" href="{url}/_sandbox/state">the control API</a>
<script>
async function post(path, headers) {{
  try {{ return (await fetch("{url}" + path, {{method: "POST", mode: "no-cors", headers, body: "{{}}"}})).type; }}
  catch (error) {{ return "failed"; }}
}}
</script>"""  # noqa: E501


@pytest.fixture
def elsewhere(sandbox: Sandbox) -> Iterator[str]:
    """A web page on another port of this machine, which attacks the sandbox."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGE.format(url=sandbox.url).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_page_of_another_origin_changes_nothing_and_reads_nothing(
    sandbox: Sandbox, elsewhere: str, refused: Refused
) -> None:
    require_browser()
    contact = {"channels": [{"type": "email", "value": "ann@example.com"}]}
    httpx.post(f"{sandbox.esputnik_url}/v1/contact", json=contact, auth=("api", "sandbox-key")).raise_for_status()
    before = sandbox.registry.counts()
    # The same site (another port) and another site (localhost is not 127.0.0.1): browsers say which.
    for origin in (elsewhere, elsewhere.replace("localhost", "127.0.0.1")):
        with browser_page(width=800, height=600) as page:
            statuses: dict[str, int] = {}
            page.on("response", lambda response, seen=statuses: seen.update({response.url: response.status}))
            page.goto(origin)
            for form in ("fault", "reset"):
                page.evaluate(f"document.getElementById('{form}').submit()")
                page.wait_for_timeout(300)
            for path in ("/_sandbox/reset", "/_sandbox/faults", "/_sandbox/clock"):
                page.evaluate(f"post('{path}', {{}})")
            page.wait_for_timeout(300)
            seen = {url.removeprefix(sandbox.url): status for url, status in statuses.items() if sandbox.url in url}
            assert seen["/_sandbox/faults"] == seen["/_sandbox/reset"] == seen["/_sandbox/clock"] == 403
            for link in ("method", "control"):
                page.goto(origin)
                with page.expect_navigation():
                    page.click(f"#{link}")
                assert "no requests that a web page of another origin" in page.content()
            page.goto(origin)
            with page.expect_navigation():
                page.click("#page")  # as Airflow's links do
            assert "Sandbox" in page.title() or "sandbox" in page.content()
    assert sandbox.state.faults.waiting() == []
    assert sandbox.registry.counts() == before
    refused("page of another origin", "forms, fetch and links", "403 but for pages")


@pytest.mark.slow
def test_what_a_fault_answers_runs_no_script_in_the_sandboxes_origin(sandbox: Sandbox, refused: Refused) -> None:
    require_browser()
    script = "<title>quiet</title><script>document.title = 'ran'</script>"
    with browser_page(width=800, height=600) as page:
        for kind in ("html", "status"):
            sandbox.fault(kind, path="*/v1/*", status=200, body=script, headers={"Content-Type": "text/html"})
            page.goto(f"{sandbox.esputnik_url}/v1/account/info")
            assert page.title() == "quiet"
            assert page.evaluate("window.origin") == "null"
    refused("page of another origin", "a fault that is a script", "does not run")


CROSS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/_sandbox/state?service=esputnik&section=contacts"),
        ("POST", "/_sandbox/reset"),
        ("DELETE", "/_sandbox/faults"),
        ("GET", "/esputnik/api/v1/account/info"),
        ("POST", "/sendpulse/oauth/access_token"),
        ("POST", "/uaa/oauth/authorize"),
        ("POST", "/uaa/login"),
    ],
)
def test_headers_that_name_another_origin_are_refused(
    headers: dict[str, str], method: str, path: str, sandbox: Sandbox
) -> None:
    told = {"Content-Type": "application/json", **headers}
    assert httpx.request(method, f"{sandbox.url}{path}", headers=told, content=b"{}").status_code == 403


VISIT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_links_to_pages_and_to_the_consent_page_are_followed(
    site: str, sandbox: Sandbox, uaa: AuthorisationServer
) -> None:
    headers = {**VISIT, "Sec-Fetch-Site": site}
    assert httpx.get(f"{sandbox.url}/messages", headers=headers).status_code == 200
    question = {"response_type": "code", "client_id": registry.CLIENT_ID, "redirect_uri": registry.CALLBACK}
    trusted = ssl.create_default_context(cafile=uaa.ca_file)
    with httpx.Client(verify=trusted) as browser:
        assert browser.get(uaa.authorize_url, params=question, headers=headers).status_code == 200
        login = browser.post(f"{uaa.url}/login", data={**question, "login": "x"}, headers={**headers, **VISIT})
        assert login.status_code == (401 if site in ("same-origin", "none") else 403)


def test_our_own_pages_may_send_forms_without_a_referrer(sandbox: Sandbox) -> None:
    own = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    for origin in ("null", sandbox.url, sandbox.url.upper()):
        answer = httpx.post(
            f"{sandbox.url}/_sandbox/clock", headers={**own, "Origin": origin}, content=b'{"advance": 1}'
        )
        assert answer.status_code == 200


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_control_api_takes_json_only(kind: str | None, sandbox: Sandbox, refused: Refused) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = httpx.post(f"{sandbox.url}/_sandbox/reset", headers=headers, content=b"{}")
    assert answer.status_code == 415
    assert "application/json" in answer.text
    refused("page of another origin", f"control: {kind or 'no type'}"[:30], "415, nothing done")


# -- requests that are too much


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("clock by 1e308", "clock", b'{"advance": 1e308}'),
        ("clock by -1e308", "clock", b'{"advance": -1e308}'),
        ("JSON 100,000 deep", "settings", b'{"a":' * 100_000),
        ("JSON list 100,000 deep", "faults", b"[" * 100_000),
    ],
)
def test_a_control_request_that_is_too_much_is_a_sentence(
    name: str, path: str, body: bytes, sandbox: Sandbox, refused: Refused
) -> None:
    json = {"Content-Type": "application/json"}
    answer = httpx.post(f"{sandbox.url}/_sandbox/{path}", headers=json, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    refused("too much for the sandbox", name, "400 with a sentence")


@pytest.mark.parametrize("query", ["limit=99999999999999999999", "offset=99999999999999999999", "since=9" + "9" * 5000])
def test_a_huge_limit_is_a_sentence(query: str, sandbox: Sandbox, refused: Refused) -> None:
    path = "requests" if query.startswith("since") else "state?service=esputnik&section=contacts"
    answer = httpx.get(f"{sandbox.url}/_sandbox/{path}{'&' if '?' in path else '?'}{query}")
    assert answer.status_code == 400
    refused("too much for the sandbox", query[:20], "400 with a sentence")


@pytest.mark.parametrize("path", ["/_sandbox/faults", "/esputnik/api/v1/contacts", "/sendpulse/addressbooks"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_200_megabytes_is_refused(path: str, chunked: bool, sandbox: Sandbox, refused: Refused) -> None:
    block = bytes(2**20)
    sent: list[int] = []

    def blocks() -> Iterator[bytes]:
        for _ in range(200):
            sent.append(1)
            yield block

    headers = {"Content-Type": "application/json", **({} if chunked else {"Content-Length": str(200 * 2**20)})}
    try:
        answer = httpx.post(f"{sandbox.url}{path}", headers=headers, content=blocks(), timeout=60)
    except httpx.WriteError:  # the server has answered and closed
        assert len(sent) < 200
    else:
        assert answer.status_code == 413
    refused("too much for the sandbox", "a body of 200 MB", "413")
