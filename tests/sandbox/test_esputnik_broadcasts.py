"""Broadcasts and the activity they leave."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox

KYIV = ZoneInfo("Europe/Kyiv")
ACTIVITY = "/v2/contacts/activity"


def local(sandbox: Sandbox, **later: float) -> str:
    moment = datetime.fromtimestamp(sandbox.state.clock.now(), KYIV) + timedelta(**later)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def readers(sandbox: Sandbox, esputnik: httpx.Client, count: int = 5, name: str = "Readers") -> int:
    sandbox.do("esputnik", "make_contacts", count=count, segment=name)
    number: int = esputnik.get("/v1/groups", params={"name": name}).json()[0]["id"]
    return number


def broadcast(esputnik: httpx.Client, group: int, **more: Any) -> dict[str, Any]:
    answer = esputnik.post("/v1/broadcast", json={"messageId": "1003", "groups": [group], **more})
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def activity(sandbox: Sandbox, esputnik: httpx.Client, **more: Any) -> list[dict[str, Any]]:
    period = {"dateFrom": local(sandbox, hours=-12), "dateTo": local(sandbox, hours=1)}
    answer = esputnik.get(ACTIVITY, params={**period, **more})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def test_a_broadcast_is_found_by_its_id_and_by_its_title(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    ids = {title: int(broadcast(esputnik, group, title=title)["broadcastId"]) for title in ("Sale", "News")}
    for title, number in ids.items():
        for q in (title, str(number)):
            assert [row["id"] for row in sandbox.rows("esputnik", "broadcasts", q=q)] == [number]


def test_a_broadcast_has_ids_as_strings_and_no_status(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    view = broadcast(esputnik, group, title="Sale")
    assert (view["title"], view["messageId"], view["groupId"]) == ("Sale", "1003", str(group))
    assert isinstance(view["broadcastId"], str)
    assert "status" not in view
    assert esputnik.get(f"/v1/broadcast/{view['broadcastId']}").json() == view
    assert esputnik.get("/v1/broadcasts").json() == [view]


def test_a_broadcast_goes_once_to_each_address_that_wants_mail(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    also = readers(sandbox, esputnik, 2, "Also")
    esputnik.post("/v1/emails/unsubscribed/add", json={"emails": ["reader4@example.com"]})
    broadcast(esputnik, group, groups=[group, also])
    assert sorted(message["to"] for message in sandbox.messages()) == [f"reader{n}@example.com" for n in range(4)]


def test_excluded_segments_are_left_out(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    excluded = readers(sandbox, esputnik, 2, "Also")
    broadcast(esputnik, group, excludedGroups=[excluded])
    assert len(sandbox.messages()) == 3


def test_a_scheduled_broadcast_starts_at_its_time_in_the_accounts_zone(
    sandbox: Sandbox, esputnik: httpx.Client
) -> None:
    group = readers(sandbox, esputnik)
    broadcast(esputnik, group, startDate=local(sandbox, hours=2)[:16])
    assert sandbox.messages() == []
    sandbox.advance(2 * 3600)
    assert len(sandbox.messages()) == 5


def test_a_scheduled_broadcast_can_be_cancelled_and_a_started_one_not(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    later = broadcast(esputnik, group, startDate=local(sandbox, hours=2)[:16])["broadcastId"]
    assert esputnik.delete(f"/v1/broadcast/{later}").status_code == 200
    assert esputnik.get(f"/v1/broadcast/{later}").status_code == 404
    sandbox.advance(3 * 3600)
    assert sandbox.messages() == []
    started = broadcast(esputnik, group)["broadcastId"]
    assert esputnik.delete(f"/v1/broadcast/{started}").status_code == 400


def test_a_broadcast_can_wait_for_moderation(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    sandbox.set(esputnik__moderation_seconds=600)
    broadcast(esputnik, group)
    assert sandbox.messages() == []
    sandbox.advance(601)
    assert len(sandbox.messages()) == 5


def test_a_throttled_broadcast_goes_out_in_batches(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    broadcast(esputnik, group, batchSize=2, batchIntervalUnit="HOUR")
    seen = []
    for _ in range(3):
        sandbox.advance(10)
        seen.append(len(activity(sandbox, esputnik, activityStatus="DELIVERED")))
        sandbox.advance(3600)
    assert seen == [2, 4, 5]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"messageId": "9", "groups": [3601001]}, 404),
        ({"messageId": "x", "groups": [3601001]}, 404),
        ({"messageId": "1003", "groups": [9]}, 404),
        ({"messageId": "1003", "groups": []}, 400),
        ({"messageId": "1003", "groups": [3601001], "batchSize": 5}, 400),
        ({"messageId": "1003", "groups": [3601001], "batchSize": 5, "batchIntervalUnit": "YEAR"}, 400),
        ({"messageId": "1003", "groups": [3601001], "startDate": "soon"}, 400),
        ({"groups": [3601001]}, 400),
    ],
)
def test_a_broadcast_that_cannot_be_is_refused(esputnik: httpx.Client, body: dict[str, Any], status: int) -> None:
    assert esputnik.post("/v1/broadcast", json=body).status_code == status


def test_activity_tells_who_did_what_when(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik, 1)
    number = broadcast(esputnik, group)["broadcastId"]
    sandbox.advance(10)
    delivered, read = activity(sandbox, esputnik)
    assert (delivered["activityStatus"], read["activityStatus"]) == ("DELIVERED", "READ")
    assert delivered["email"] == "reader0@example.com"
    assert (delivered["broadcastId"], delivered["messageId"]) == (int(number), 1003)
    assert (delivered["mediaType"], delivered["messageTag"]) == ("email", "digest")
    assert delivered["activityDateTime"] <= local(sandbox)
    assert delivered["iid"] == read["iid"]
    assert delivered["offset"] != read["offset"]


def test_a_bounce_says_why(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    body = {"recipients": [{"locator": "a+bounce@example.com", "externalRequestId": "r1"}]}
    esputnik.post("/v1/message/1003/smartsend", json=body)
    sandbox.advance(10)
    (row,) = activity(sandbox, esputnik)
    assert (row["activityStatus"], row["hardBounce"], row["externalRequestId"]) == ("UNDELIVERED", True, "r1")
    assert row["statusDescription"] == "550 mailbox unavailable"


def test_activity_is_filtered(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    broadcast(esputnik, readers(sandbox, esputnik))
    sandbox.advance(10)
    assert len(activity(sandbox, esputnik)) == 10
    assert len(activity(sandbox, esputnik, activityStatus="READ")) == 5
    assert len(activity(sandbox, esputnik, email="READER1@example.com")) == 2
    assert len(activity(sandbox, esputnik, messageTag="digest")) == 10
    assert activity(sandbox, esputnik, messageTag="other") == []
    assert activity(sandbox, esputnik, sms="380501112233") == []


def test_windows_that_meet_at_a_second_lose_nothing(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=200, seconds=10)
    begin = datetime.fromtimestamp(sandbox.state.clock.now(), KYIV).replace(microsecond=0) - timedelta(seconds=12)
    found = set()
    for second in range(16):
        moment = (begin + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        rows = esputnik.get(ACTIVITY, params={"dateFrom": moment, "dateTo": moment}).json()
        assert {row["activityDateTime"] for row in rows} <= {moment}
        found |= {row["offset"] for row in rows}
    assert len(found) == 200


def pages(sandbox: Sandbox, esputnik: httpx.Client, most: int = 50) -> list[list[str]]:
    """Offsets of the rows, page by page, as a client that trusts the cursor reads them."""
    found: list[list[str]] = []
    cursor = ""
    while len(found) < most:
        rows = activity(sandbox, esputnik, maxrows=100, offset=cursor)
        if not rows:
            break
        found.append([row["offset"] for row in rows])
        cursor = rows[-1]["offset"]
    return found


def test_the_cursor_walks_through_everything_once(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=450, seconds=3600)
    found = pages(sandbox, esputnik)
    assert [len(page) for page in found] == [100, 100, 100, 100, 50]
    assert len({offset for page in found for offset in page}) == 450


def test_the_cursor_can_repeat_rows(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=150, seconds=3600)
    sandbox.set(esputnik__activity_cursor="repeats")
    first, second, *_ = pages(sandbox, esputnik, most=4)
    assert second[0] == first[-1]


def test_the_cursor_can_be_ignored(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=150, seconds=3600)
    sandbox.set(esputnik__activity_cursor="ignored")
    first, second = pages(sandbox, esputnik, most=2)
    assert first == second


def test_the_cursor_can_lose_the_rest_of_a_long_window(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=150, seconds=3600)
    sandbox.set(esputnik__activity_cursor="loses")
    assert len(pages(sandbox, esputnik)) == 2  # this window is shorter than a day
    long: dict[str, str | int] = {"dateFrom": local(sandbox, days=-3), "dateTo": local(sandbox), "maxrows": 100}
    first = esputnik.get(ACTIVITY, params=long).json()
    assert len(first) == 100
    assert esputnik.get(ACTIVITY, params={**long, "offset": first[-1]["offset"]}).json() == []


def test_a_cursor_may_never_lead_to_a_second_page(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=150, seconds=3600)
    sandbox.set(esputnik__activity_cursor="ends")
    first = activity(sandbox, esputnik, maxrows=100)
    assert len(first) == 100
    assert activity(sandbox, esputnik, maxrows=100, offset=first[-1]["offset"]) == []


def test_made_activity_may_be_of_every_sort(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    made = sandbox.do("esputnik", "make_activity", rows=1000, seconds=600, mixed=True, name="Spring", broadcast=7)
    sandbox.advance(10)
    rows = activity(sandbox, esputnik, maxrows=25000)
    counts = Counter(row["activityStatus"] for row in rows)
    assert sum(counts.values()) == len(rows) == made["rows"]
    assert counts["DELIVERED"] + counts["UNDELIVERED"] == 1000
    assert counts["DELIVERED"] > counts["READ"] > counts["CLICKED"] > counts["UNSUBSCRIBED"] > counts["SPAM"] > 0
    assert {(row["messageName"], row["broadcastId"]) for row in rows} == {("Spring", 7)}


def test_activity_can_be_switched_off_delayed_hidden_and_cut_short(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    sandbox.do("esputnik", "make_activity", rows=10, seconds=100)
    sandbox.set(esputnik__activity_hidden=["reader0@example.com"])
    assert len(activity(sandbox, esputnik)) == 9
    sandbox.set(esputnik__activity_most=4)
    assert len(activity(sandbox, esputnik)) == 4
    sandbox.set(esputnik__activity_delay_seconds=600)
    assert activity(sandbox, esputnik) == []
    sandbox.advance(601)
    assert len(activity(sandbox, esputnik)) == 4
    sandbox.set(esputnik__activity=False)
    refused = esputnik.get(ACTIVITY, params={"dateFrom": "2025-01-01", "dateTo": "2025-01-02"})
    assert (refused.status_code, refused.text) == (400, "Contact support to enable ContactActivity.")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "dateFrom=2025-01-01",
        "dateFrom=x&dateTo=2025-01-01",
        "dateFrom=2025-01-02&dateTo=2025-01-01",
        "dateFrom=2025-01-01&dateTo=2025-01-02&offset=x",
        "dateFrom=2025-01-01&dateTo=2025-01-02&maxrows=0",
    ],
)
def test_activity_of_no_proper_period_is_400(esputnik: httpx.Client, query: str) -> None:
    assert esputnik.get(f"{ACTIVITY}?{query}").status_code == 400


def test_a_contacts_messages_are_listed_newest_first(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    for template in (1003, 1002):
        body = {"recipients": [{"locator": "anna@example.com", "jsonParam": '{"order": 7}'}]}
        esputnik.post(f"/v1/message/{template}/smartsend", json=body)
        sandbox.advance(10)
    period = {"dateFrom": local(sandbox, hours=-1), "dateTo": local(sandbox), "email": "anna@example.com"}
    found = esputnik.get("/v2/contacts/messages", params=period).json()
    assert [(row["messageId"], row["subject"]) for row in found] == [
        (1002, "Your order 7"),
        (1003, "This week at the shop"),
    ]
    assert found[0]["activityStatus"] == "READ"
    assert len(esputnik.get("/v2/contacts/messages", params={**period, "offset": 1}).json()) == 1
    assert esputnik.get("/v2/contacts/messages", params={**period, "channelTypes": "sms,viber"}).json() == []
    assert esputnik.get("/v2/contacts/messages", params={**period, "maxrows": 101}).status_code == 400
    assert esputnik.get("/v2/contacts/messages", params={**period, "contactId": 1}).status_code == 400


def test_sms_broadcasts_have_numbers(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    contacts = [
        {"channels": [{"type": "sms", "value": f"38050111223{n}"}], "groups": [{"name": "P"}]} for n in range(3)
    ]
    for contact in contacts:
        esputnik.post("/v1/contact", json=contact)
    group = esputnik.get("/v1/groups?name=P").json()[0]["id"]
    sandbox.set(outcomes={"380501112230": "bounced"})
    broadcast(esputnik, group, messageId=2001, title="Codes")
    sandbox.advance(10)
    (row,) = esputnik.get("/v1/callouts/sms").json()
    assert (row["calloutName"], row["groupName"]) == ("Codes", "P")
    assert (row["sent"], row["delivered"], row["errors"]) == (3, 2, 1)


def test_a_broadcast_to_thirty_thousand_readers_is_counted(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    broadcast(esputnik, readers(sandbox, esputnik, 30_000))
    sandbox.advance(10)
    assert len(activity(sandbox, esputnik, activityStatus="DELIVERED", maxrows=25_000)) == 25_000
    assert sandbox.rows("esputnik", "broadcasts")[0]["recipients"] == 30_000


def listed(esputnik: httpx.Client) -> list[str]:
    return [view["broadcastId"] for view in esputnik.get("/v1/broadcasts").json()]


def test_the_list_of_broadcasts_can_be_late_and_lack_rows(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    sandbox.set(esputnik__broadcasts_delay_seconds=30.0)
    first, second = (broadcast(esputnik, group)["broadcastId"] for _ in range(2))
    assert listed(esputnik) == []
    assert esputnik.get(f"/v1/broadcast/{first}").status_code == 200
    sandbox.advance(31)
    assert listed(esputnik) == [second, first]
    sandbox.set(esputnik__broadcasts_hidden=[second])
    assert listed(esputnik) == [first]
    sandbox.set(esputnik__broadcasts_hidden=["*"])
    assert listed(esputnik) == []


def test_a_switch_gives_broadcasts_a_status(sandbox: Sandbox, esputnik: httpx.Client) -> None:
    group = readers(sandbox, esputnik)
    first, second = (broadcast(esputnik, group)["broadcastId"] for _ in range(2))
    sandbox.set(esputnik__broadcast_status={"*": "RUNNING", first: "PAUSED"})
    assert esputnik.get(f"/v1/broadcast/{first}").json()["status"] == "PAUSED"
    assert [view["status"] for view in esputnik.get("/v1/broadcasts").json()] == ["RUNNING", "PAUSED"]
    assert second != first
