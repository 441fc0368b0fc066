"""Limits, switches, the clock, the request log and the state: what tests steer the sandbox by and read from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.settings import WrongSetting

INFO = "/v1/account/info"


def statuses(client: httpx.Client, number: int, path: str = INFO) -> list[int]:
    return [client.get(path).status_code for _ in range(number)]


def test_more_requests_than_the_limit_are_answered_429_in_the_vendors_words(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    sandbox.limit("esputnik.default", 3, 60)
    assert statuses(esputnik, 4) == [200, 200, 200, 429]
    answer = esputnik.get(INFO)
    assert answer.text == "More than 3 requests per 60 seconds"
    assert "Retry-After" not in answer.headers


def test_a_429_says_when_to_come_back_where_that_is_switched_on(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.limit("esputnik.default", 1, 60)
    sandbox.set(esputnik__retry_after=True)
    esputnik.get(INFO)
    assert 55 <= int(esputnik.get(INFO).headers["Retry-After"]) <= 60


def test_a_limits_window_slides_with_the_clock(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.limit("esputnik.default", 2, 60)
    assert statuses(esputnik, 3) == [200, 200, 429]
    sandbox.advance(61)
    assert statuses(esputnik, 3) == [200, 200, 429]


def test_methods_with_a_limit_of_their_own_do_not_use_up_the_shared_one(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    sandbox.limit("esputnik.default", 1, 60)
    assert statuses(esputnik, 5, "/v1/contacts") == [200] * 5
    assert statuses(esputnik, 2) == [200, 429]


def test_a_method_under_two_limits_must_be_admitted_by_both(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.limit("esputnik.templates.email.hour", 2, 3600)
    assert statuses(esputnik, 3, "/v1/messages/email/1001") == [200, 200, 429]
    sandbox.advance(60)
    assert statuses(esputnik, 1, "/v1/messages/email/1001") == [429]


def test_each_key_has_a_window_of_its_own(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.limit("esputnik.default", 1, 60)
    assert statuses(esputnik, 2) == [200, 429]
    with httpx.Client(base_url=sandbox.esputnik_url, auth=("x", "sandbox-key-messages")) as other:
        assert statuses(other, 1) == [200]


def test_the_documented_limits_are_in_force(sandbox: Sandbox, web: httpx.Client) -> None:
    limits = web.get("/_sandbox/limits").json()
    assert limits["esputnik.default"] == [200, 1.0]
    assert limits["esputnik.event"] == [350, 1.0]
    assert limits["esputnik.past_events.delete"] == [5, 1.0]
    assert limits["esputnik.templates.email.list.hour"] == [500, 3600]


def test_limits_are_overridden_over_http(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    control = "/_sandbox/limits"
    assert web.post(control, json={"esputnik.default": [1, 60]}).json()["esputnik.default"] == [1, 60]
    assert statuses(esputnik, 2) == [200, 429]
    web.post(control, json={"esputnik.default": None})
    assert statuses(esputnik, 2) == [200, 200]
    assert "esputnik.default" in web.post(control, json={"nobody": 1}).json()["error"]


def test_settings_are_changed_all_or_none_and_checked(sandbox: Sandbox, web: httpx.Client) -> None:
    control = "/_sandbox/settings"
    assert web.post(control, json={"import_seconds": 5}).json()["import_seconds"] == 5
    nonsense: list[dict[str, Any]] = [
        {"import_seconds": "soon"},
        {"import_seconds": -1},
        {"nothing": 1},
        {"outcomes": {"anna@example.com": "eaten"}},
        {"esputnik.time_zone": "Mars"},
        {"esputnik.fields": [{"id": "x"}]},
        {"esputnik.keys": {"key": "everything"}},
        {"esputnik.import_outcome": "maybe"},
        {"esputnik.import_missing": [1]},
        {"esputnik.event_params": {"cart": "total"}},
    ]
    for wrong in nonsense:
        answer = web.post(control, json={"esputnik.collapse": False, **wrong})
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["error"]
    assert web.get(control).json()["esputnik.collapse"]["value"] is True


def test_a_setting_that_does_not_exist_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(WrongSetting, match=r"no setting 'esputnik\.nonsense'"):
        sandbox.set(esputnik__nonsense=1)


def test_the_clock_moves_over_http(sandbox: Sandbox, web: httpx.Client) -> None:
    control = "/_sandbox/clock"
    before = web.get(control).json()["now"]
    assert web.post(control, json={"advance": 3600}).json()["now"] - before >= 3600
    assert web.post(control, json={"rewind": 1}).status_code == 400


def test_requests_are_recorded_with_their_connection_and_body_but_never_their_credential(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    esputnik.get("/v1/groups", params={"name": "x"})
    esputnik.post("/v1/event", json={"eventTypeKey": "seen", "keyValue": "a@example.com"})
    first, second = sandbox.requests()
    assert (first["method"], first["query"], first["status"]) == ("GET", "name=x", 200)
    assert second["label"] == "v1/event"
    assert "seen" in second["body"]
    assert first["connection"] == second["connection"]
    assert first["number"] < second["number"]
    assert "sandbox-key" not in str([first, second])


def test_a_new_connection_shows_as_another_port(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    for _ in range(2):
        httpx.get(f"{sandbox.esputnik_url}/v1/groups", auth=("", "sandbox-key"))
    assert len({row["connection"] for row in sandbox.requests()}) == 2


def test_the_log_is_filtered_counted_and_cleared_over_http(
    sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client
) -> None:
    for path in ("/v1/groups", "/v1/contact/1", "/v1/contact/2"):
        esputnik.get(path)
    control = "/_sandbox/requests"
    found = web.get(control, params={"path": "*/contact/*", "limit": 1}).json()
    assert [row["path"] for row in found["requests"]] == ["/esputnik/api/v1/contact/2"]
    assert found["counts"] == {"GET v1/groups": 1, "GET v1/contact/{id}": 2}
    web.delete(control)
    assert web.get(control).json() == {"counts": {}, "requests": []}


def test_a_lost_answer_is_recorded_with_its_fault_and_no_status(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("reset")
    with pytest.raises(httpx.ReadError):
        esputnik.get(INFO)
    (row,) = sandbox.requests()
    assert (row["status"], row["fault"], row["label"]) == (None, "reset", "v1/account/info")


def test_secrets_in_a_query_are_not_recorded(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    esputnik.get("/v1/groups", params={"client_secret": "hush", "name": "x"})
    assert sandbox.requests()[0]["query"] == "client_secret=%2A%2A%2A&name=x"


def test_the_state_is_read_in_pages_with_a_filter(sandbox: Sandbox, web: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=30, segment="Readers")
    state = "/_sandbox/state"
    counts = web.get(state).json()["counts"]["esputnik"]
    assert (counts["contacts"], counts["messages"]) == (30, 0)
    query: dict[str, str | int] = {"service": "esputnik", "section": "contacts", "limit": 10, "offset": 25}
    found = web.get(state, params=query).json()
    assert (found["total"], len(found["rows"])) == (30, 5)
    (one,) = sandbox.rows("esputnik", "contacts", q="reader17@")
    assert (one["email"], one["segments"]) == ("reader17@example.com", ["Readers"])


def test_a_section_or_action_that_does_not_exist_is_refused_with_a_reason(sandbox: Sandbox, web: httpx.Client) -> None:
    wrong = web.get("/_sandbox/state", params={"service": "esputnik", "section": "dreams"})
    assert (wrong.status_code, "esputnik/contacts" in wrong.json()["error"]) == (400, True)
    assert web.post("/_sandbox/esputnik/make_contacts", json={"count": "many"}).status_code == 400


def test_a_reset_forgets_everything(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=3)
    sandbox.set(esputnik__collapse=False)
    sandbox.fault("html")
    sandbox.limit("esputnik.default", 1)
    sandbox.advance(1000)
    assert web.post("/_sandbox/reset", json={}).status_code == 200
    assert sandbox.counts()["esputnik"]["contacts"] == 0
    assert statuses(esputnik, 3) == [200] * 3
    assert isinstance(esputnik.get("/v1/addressbooks").json()["addressBook"], dict)
    assert web.get("/_sandbox/clock").json()["now"] < sandbox.state.clock.now() + 1


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"null"])
@pytest.mark.parametrize("path", ["faults", "limits", "settings", "clock"])
def test_nonsense_to_the_control_api_is_refused(sandbox: Sandbox, web: httpx.Client, path: str, body: bytes) -> None:
    assert web.post(f"/_sandbox/{path}", content=body, headers={"Content-Type": "application/json"}).status_code == 400


def test_the_documentation_names_only_switches_and_limits_that_exist(sandbox: Sandbox) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[`\"]((?:esputnik|sendpulse|uaa)\.[a-z_]+)[`\"]", text))
    assert named
    assert named <= set(sandbox.state.settings.known) | set(sandbox.state.limits.all())
