"""Faults arrive at the client as what they play, as often as asked for, and say whether the work was done."""

from __future__ import annotations

import time

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

INFO = "/v1/account/info"


def test_a_status_fault_answers_its_status_body_and_headers_once(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("status", "GET", "*/v1/account/info", status=503, body="busy", headers={"Retry-After": "7"})
    answer = esputnik.get(INFO)
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "7")
    assert esputnik.get(INFO).status_code == 200


def test_a_fault_leaves_other_paths_and_verbs_alone(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("status", "POST", "*/v1/account/info")
    sandbox.fault("status", "GET", "*/v1/groups")
    assert esputnik.get(INFO).status_code == 200


def test_faults_are_applied_in_order_and_as_often_as_said(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("status", status=502, times=2)
    sandbox.fault("status", status=429)
    assert [esputnik.get(INFO).status_code for _ in range(4)] == [502, 502, 429, 200]


def test_a_fault_can_let_requests_through_first(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("status", status=502, skip=2)
    assert [esputnik.get(INFO).status_code for _ in range(4)] == [200, 200, 502, 200]


def test_a_fault_without_end_lasts_until_cleared(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("html", times=None)
    assert {esputnik.get(INFO).status_code for _ in range(5)} == {502}
    sandbox.clear_faults()
    assert esputnik.get(INFO).status_code == 200


def test_a_reset_before_processing_leaves_nothing_behind(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("reset", "POST", "*/v1/contact")
    with pytest.raises(httpx.ReadError):
        esputnik.post("/v1/contact", json={"channels": [{"type": "email", "value": "a@example.com"}]})
    assert sandbox.counts()["esputnik"]["contacts"] == 0


def test_a_reset_after_processing_has_done_the_work(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("reset", "POST", "*/v1/contact", processed=True)
    with pytest.raises(httpx.ReadError):
        esputnik.post("/v1/contact", json={"channels": [{"type": "email", "value": "a@example.com"}]})
    assert sandbox.counts()["esputnik"]["contacts"] == 1


def test_a_status_fault_after_processing_has_done_the_work_too(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("status", "POST", "*/v1/contact", status=504, processed=True)
    answer = esputnik.post("/v1/contact", json={"channels": [{"type": "email", "value": "a@example.com"}]})
    assert answer.status_code == 504
    assert sandbox.counts()["esputnik"]["contacts"] == 1


def test_a_truncated_answer_promises_more_than_it_gives(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        esputnik.get(INFO)


def test_a_dripping_answer_arrives_whole_and_slowly(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("drip", seconds=0.3)
    begin = time.perf_counter()
    assert esputnik.get(INFO).json()["organisationName"] == "Sandbox"
    assert time.perf_counter() - begin >= 0.25


def test_a_delayed_request_is_answered_as_usual_but_later(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("delay", seconds=0.2)
    begin = time.perf_counter()
    assert esputnik.get(INFO).status_code == 200
    assert time.perf_counter() - begin >= 0.2


def test_a_hanging_request_never_answers(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("hang")
    with pytest.raises(httpx.ReadTimeout):
        esputnik.get(INFO, timeout=0.2)


def test_a_hang_can_end_with_a_closed_connection(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("hang", seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        esputnik.get(INFO)


def test_faults_do_not_touch_the_page_or_the_control_api(sandbox: Sandbox, web: httpx.Client) -> None:
    sandbox.fault("status", status=500, times=None)
    assert web.get("/").status_code == 200
    assert web.get("/_sandbox/faults").json()[0]["kind"] == "status"


def test_faults_are_set_and_cleared_over_http(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    control = "/_sandbox/faults"
    answer = web.post(control, json=[{"kind": "status", "status": 418}, {"kind": "html"}])
    assert len(answer.json()["ids"]) == 2
    assert esputnik.get(INFO).status_code == 418
    assert [fault["kind"] for fault in web.get(control).json()] == ["html"]
    web.delete(control)
    assert esputnik.get(INFO).status_code == 200


def test_a_fault_that_makes_no_sense_is_refused_with_a_reason(sandbox: Sandbox, web: httpx.Client) -> None:
    answer = web.post("/_sandbox/faults", json={"kind": "explode"})
    assert answer.status_code == 400
    assert "explode" in answer.json()["error"]


def test_other_requests_are_answered_while_one_hangs(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.fault("delay", "GET", "*/v1/groups", seconds=60)
    with httpx.Client(base_url=sandbox.esputnik_url, auth=("", "sandbox-key")) as slow:
        with pytest.raises(httpx.ReadTimeout):
            slow.get("/v1/groups", timeout=0.05)
        begin = time.perf_counter()
        assert esputnik.get(INFO).status_code == 200
        assert time.perf_counter() - begin < 50
