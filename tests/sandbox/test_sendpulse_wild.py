"""Every method has a request that it grants, and whatever else is sent, the answer is one of the vendor's."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.sandbox import Sandbox
from airflow_provider_esp.sandbox.sendpulse import SENDPULSE
from airflow_provider_esp.sandbox.sendpulse.settings import USER_ID

ENDPOINTS = [(endpoint.method, endpoint.path) for routes in SENDPULSE.routes for endpoint in routes]

ANNA, PHONE = "anna@example.com", "380501112233"
HASH, SENDER = "5eed0000000000000000000000000002", "sender@sandbox.example"
WEBHOOK, EXCEPTIONS = "v2/email-service/webhook", "v2/viber-service/phone-exception"
DOMAINS = "v2/email-service/smtp/sender_domains"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CAMPAIGN = {
    "sender_name": "Sandbox",
    "sender_email": SENDER,
    "subject": "News for {{first_name}}",
    "body": encoded('<p><a href="https://sandbox.example/">Hello</a></p>'),
    "list_id": 500001,
    "name": "News",
    "send_date": "2090-01-01 10:00:00",
    "attachments": {"note.txt": "hello"},
}
EMAIL = {
    "subject": "Hello",
    "from": {"name": "Sandbox", "email": SENDER},
    "to": [{"name": "Anna", "email": ANNA}],
    "html": encoded("<p>Hello</p>"),
    "text": "Hello",
    "cc": [{"email": "copy@example.com"}],
    "attachments_binary": {"note.txt": encoded("hello")},
}
TEMPLATE_EMAIL = {
    "subject": "Hello",
    "from": {"email": SENDER},
    "to": [{"email": ANNA}],
    "template": {"id": 700001, "variables": {"first_name": "Anna"}},
}
VARIABLES = [{"name": "city", "type": "string", "value": "Lviv"}]
VIBER = {
    "message_type": 2,
    "sender_id": 1,
    "message_live_time": 600,
    "send_date": "now",
    "message": "Hello",
    "recipients": [380501112233],
}
PUSH = {"title": "Hello", "website_id": 53, "body": "News", "ttl": 3600}

# In an order in which each is granted: (the method as it is registered, the path asked, the body).
GRANTED: list[tuple[str, str, str, Any]] = [
    (
        "POST",
        "oauth/access_token",
        "oauth/access_token",
        {"grant_type": "client_credentials", "client_id": "sandbox-id", "client_secret": "sandbox-secret"},
    ),
    ("GET", "user/info", "user/info", None),
    ("GET", "balance", "balance/", None),
    ("GET", "balance/{currency}", "balance/UAH", None),
    ("GET", "user/balance/detail", "user/balance/detail", None),
    ("POST", "addressbooks", "addressbooks", {"bookName": "Customers"}),
    ("GET", "addressbooks", "addressbooks?limit=10&offset=0", None),
    ("GET", "addressbooks/{id}", "addressbooks/500001", None),
    ("PUT", "addressbooks/{id}", "addressbooks/500001", {"name": "Clients"}),
    ("POST", "tags", "tags", {"name": "new", "color": "#f0f4f6"}),
    ("GET", "tags", "tags", None),
    ("PUT", "tags/{id}", "tags/1", {"name": "newer", "color": "#000000"}),
    (
        "POST",
        "addressbooks/{id}/emails",
        "addressbooks/500001/emails",
        {
            "emails": [
                {"email": ANNA, "variables": {"first_name": "Anna", "age": 30, "Phone": PHONE}},
                "boris@example.com",
                "clara@example.com",
            ],
            "tags": [1],
        },
    ),
    ("GET", "addressbooks/{id}/emails", "addressbooks/500001/emails?order=desc&active=0", None),
    ("GET", "addressbooks/{id}/emails/total", "addressbooks/500001/emails/total", None),
    ("GET", "addressbooks/{id}/emails/{email}", f"addressbooks/500001/emails/{ANNA}", None),
    ("GET", "addressbooks/{id}/variables", "addressbooks/500001/variables", None),
    ("GET", "addressbooks/{id}/variables/{name}/{value}", "addressbooks/500001/variables/age/30", None),
    ("GET", "addressbooks/{id}/cost", "addressbooks/500001/cost", None),
    (
        "POST",
        "addressbooks/{id}/emails/variable",
        "addressbooks/500001/emails/variable",
        {"email": ANNA, "variables": VARIABLES},
    ),
    ("PUT", "addressbooks/{id}/phone", "addressbooks/500001/phone", {"email": ANNA, "phone": "380671112233"}),
    (
        "POST",
        "addressbooks/{id}/phones/variable",
        "addressbooks/500001/phones/variable",
        {"phone": "380671112233", "variables": VARIABLES},
    ),
    (
        "POST",
        "addressbooks/{id}/emails/unsubscribe",
        "addressbooks/500001/emails/unsubscribe",
        {"emails": ["boris@example.com"]},
    ),
    ("DELETE", "addressbooks/{id}/emails", "addressbooks/500001/emails", {"emails": ["boris@example.com"]}),
    ("GET", "emails/{email}", f"emails/{ANNA}", None),
    ("GET", "emails/{email}/details", f"emails/{ANNA}/details", None),
    ("GET", "emails/{email}/campaigns", f"emails/{ANNA}/campaigns", None),
    ("POST", "emails", "emails", {"emails": [ANNA]}),
    ("POST", "emails/campaigns", "emails/campaigns", {"emails": [ANNA]}),
    ("POST", "events/id/{hash}/{user}", f"events/id/{HASH}/{USER_ID}", {"email": ANNA, "automation_id": 120002}),
    ("POST", "events/name/{name}", "events/name/registration", {"email": ANNA, "phone": PHONE, "items": [{"id": 1}]}),
    ("GET", "a360/autoresponders/list", "a360/autoresponders/list", None),
    ("GET", "a360/autoresponders/{id}", "a360/autoresponders/120002", None),
    ("GET", "a360/autoresponders/{id}/total-stats", "a360/autoresponders/120002/total-stats", None),
    ("GET", "a360/autoresponders/{id}/conversions", "a360/autoresponders/120002/conversions", None),
    ("GET", "a360/autoresponders/{id}/conversions/list/all", "a360/autoresponders/120002/conversions/list/all", None),
    ("GET", "a360/stats/{kind}/{id}/group-stat", "a360/stats/email/5000012/group-stat", None),
    ("POST", "a360/events/delete-log", "a360/events/delete-log", {"ids": [1]}),
    ("POST", "smtp/emails", "smtp/emails", {"email": EMAIL}),
    ("POST", "smtp/emails", "smtp/emails", {"email": TEMPLATE_EMAIL}),
    ("GET", "smtp/emails", f"smtp/emails?recipient={ANNA}&sender={SENDER}&from=2020-01-01&to=2090-01-01", None),
    ("GET", "smtp/emails/total", "smtp/emails/total", None),
    ("GET", "smtp/emails/{id}", "smtp/emails/{email_id}", None),
    ("POST", "smtp/emails/info", "smtp/emails/info", {"emails": ["{email_id}"]}),
    ("GET", "smtp/bounces/day", "smtp/bounces/day?date=2026-01-01", None),
    ("GET", "smtp/bounces/day/total", "smtp/bounces/day/total", None),
    ("GET", "smtp/ips", "smtp/ips", None),
    ("GET", "smtp/senders", "smtp/senders", None),
    ("GET", "smtp/domains", "smtp/domains", None),
    ("POST", "smtp/domains", "smtp/domains", {"email": "a@other.example"}),
    ("GET", "smtp/domains/{email}", "smtp/domains/a@other.example", None),
    ("GET", DOMAINS, DOMAINS, None),
    ("GET", DOMAINS + "/{domain}", DOMAINS + "/sandbox.example", None),
    ("POST", DOMAINS + "/{domain}", DOMAINS + "/third.example", None),
    ("POST", "smtp/unsubscribe", "smtp/unsubscribe", {"emails": [{"email": ANNA, "comment": "asked"}]}),
    ("GET", "smtp/unsubscribe", "smtp/unsubscribe", None),
    ("GET", "smtp/unsubscribe/search", f"smtp/unsubscribe/search?email={ANNA}", None),
    ("POST", "smtp/resubscribe", "smtp/resubscribe", {"email": ANNA, "sender": SENDER, "lang": "en"}),
    ("DELETE", "smtp/unsubscribe", "smtp/unsubscribe", [ANNA]),
    ("POST", "verifier-service/send-list-to-verify", "verifier-service/send-list-to-verify/", {"id": 500001}),
    ("GET", "verifier-service/get-progress", "verifier-service/get-progress/?id=500001", None),
    ("GET", "verifier-service/check", "verifier-service/check?id=500001&start=0&count=5", None),
    ("GET", "verifier-service/check-list", "verifier-service/check-list?start=0&count=5", None),
    ("POST", "verifier-service/make-report", "verifier-service/make-report", {"id": 500001, "status": "[1,3]"}),
    ("GET", "verifier-service/check-report", "verifier-service/check-report?id=500001", None),
    ("POST", "verifier-service/send-single-to-verify", "verifier-service/send-single-to-verify/", {"email": ANNA}),
    ("GET", "verifier-service/get-single-result", f"verifier-service/get-single-result/?email={ANNA}", None),
    ("GET", "verifier-service/delete-single-result", "verifier-service/delete-single-result", {"email": ANNA}),
    ("POST", "verifier-service/send-single-to-verify", "verifier-service/send-single-to-verify/", {"email": ANNA}),
    ("DELETE", "verifier-service/delete-single-result", "verifier-service/delete-single-result", {"email": ANNA}),
    ("POST", "campaigns", "campaigns", CAMPAIGN),
    ("GET", "campaigns", "campaigns?order=asc&status[]=13&status[]=14&planed=1", None),
    ("GET", "campaigns/{id}", "campaigns/1000001", None),
    ("GET", "campaigns/{id}/countries", "campaigns/1000001/countries", None),
    ("GET", "campaigns/{id}/referrals", "campaigns/1000001/referrals", None),
    ("GET", "campaigns/{id}/email/{email}", f"campaigns/1000001/email/{ANNA}", None),
    ("GET", "addressbooks/{id}/campaigns", "addressbooks/500001/campaigns", None),
    ("PATCH", "campaigns/{id}", "campaigns/1000001", {"subject": "Other news"}),
    ("DELETE", "campaigns/{id}", "campaigns/1000001", None),
    ("POST", "template", "template", {"body": encoded("<p>{{name}}</p>"), "name": "Mine", "lang": "en"}),
    ("POST", "template/edit/{id}", "template/edit/700001", {"body": encoded("<p>Other</p>")}),
    ("GET", "template/{id}", "template/700001", None),
    ("GET", "template/slug/{slug}", "template/slug/welcome", None),
    ("GET", "templates", "templates/?owner=me", None),
    ("GET", "templates/{lang}", "templates/en", None),
    ("POST", "senders", "senders", {"email": "second@sandbox.example", "name": "Second"}),
    ("GET", "senders", "senders", None),
    ("GET", "senders/{email}/code", "senders/second@sandbox.example/code", None),
    ("POST", "senders/{email}/code", "senders/second@sandbox.example/code", {"code": "{code}"}),
    ("DELETE", "senders", "senders", {"email": "second@sandbox.example"}),
    ("POST", "blacklist", "blacklist", {"emails": encoded("x@example.com,y@example.com"), "comment": "no"}),
    ("GET", "blacklist", "blacklist", None),
    ("DELETE", "blacklist", "blacklist", {"emails": encoded("x@example.com")}),
    ("POST", "tags/pin/{kind}", "tags/pin/email", {"email": ANNA, "tags": [1]}),
    ("POST", "tags/unpin/{kind}", "tags/unpin/phone", {"phone": PHONE, "tags": [1]}),
    ("DELETE", "tags/{id}", "tags/1", None),
    ("POST", WEBHOOK, WEBHOOK, {"url": "https://sandbox.example/hook", "actions": ["open", "spam"]}),
    ("GET", WEBHOOK, WEBHOOK + "/", None),
    ("GET", WEBHOOK + "/{id}", WEBHOOK + "/1", None),
    ("PUT", WEBHOOK + "/{id}", WEBHOOK + "/1", {"url": "https://sandbox.example/other"}),
    ("DELETE", WEBHOOK + "/{id}", WEBHOOK + "/1", None),
    ("POST", "sms/numbers", "sms/numbers", {"addressBookId": 500001, "phones": [PHONE]}),
    (
        "POST",
        "sms/numbers/variables",
        "sms/numbers/variables",
        {"addressBookId": 500001, "phones": {"380631112233": [VARIABLES]}},
    ),
    ("PUT", "sms/numbers", "sms/numbers", {"addressBookId": 500001, "phones": [PHONE], "variables": VARIABLES}),
    ("GET", "sms/numbers/info/{book}/{phone}", f"sms/numbers/info/500001/{PHONE}", None),
    ("POST", "sms/send", "sms/send", {"sender": "Sandbox", "phones": [PHONE], "body": "Hello"}),
    (
        "POST",
        "sms/campaigns",
        "sms/campaigns",
        {"sender": "Sandbox", "addressBookId": 500001, "body": "Hello", "date": "2090-01-01 10:00:00"},
    ),
    ("GET", "sms/campaigns/list", "sms/campaigns/list?dateFrom=2020-01-01 00:00:00", None),
    ("GET", "sms/campaigns/info/{id}", "sms/campaigns/info/2000001", None),
    ("GET", "sms/campaigns/cost", "sms/campaigns/cost?sender=Sandbox&body=Hello&addressBookId=500001", None),
    ("PUT", "sms/campaigns/cancel/{id}", "sms/campaigns/cancel/2000002", None),
    ("DELETE", "sms/campaigns", "sms/campaigns", {"id": 2000001}),
    ("GET", "sms/senders", "sms/senders", None),
    ("POST", "sms/black_list", "sms/black_list", {"phones": [PHONE], "description": "asked"}),
    ("GET", "sms/black_list", "sms/black_list", None),
    ("GET", "sms/black_list/by_numbers", f'sms/black_list/by_numbers?phones=["{PHONE}"]', None),
    ("DELETE", "sms/black_list", "sms/black_list", {"phones": [PHONE]}),
    ("DELETE", "sms/numbers", "sms/numbers", {"addressBookId": 500001, "phones": [PHONE]}),
    ("POST", "viber", "viber", VIBER),
    ("POST", "viber", "viber", {**VIBER, "send_date": "2090-01-01 10:00:00"}),
    (
        "POST",
        "viber/update",
        "viber/update",
        {**VIBER, "main_task_id": 3000002, "send_date": "2090-01-02 10:00:00", "button_text": "Buy"},
    ),
    ("GET", "viber/task", "viber/task", None),
    ("GET", "viber/task/{id}", "viber/task/3000001", None),
    ("GET", "viber/task/{id}/recipients", "viber/task/3000001/recipients", None),
    ("GET", "viber/senders", "viber/senders", None),
    ("GET", "viber/senders/{id}", "viber/senders/1", None),
    ("POST", EXCEPTIONS, EXCEPTIONS, {"phones": [PHONE], "description": "asked"}),
    ("GET", EXCEPTIONS, EXCEPTIONS, None),
    ("DELETE", EXCEPTIONS, EXCEPTIONS, {"phones": [PHONE]}),
    ("POST", "push/tasks", "push/tasks", PUSH),
    ("GET", "push/tasks", "push/tasks?website_id=53", None),
    ("GET", "push/tasks/{id}", "push/tasks/4000001", None),
    ("GET", "push/websites", "push/websites", None),
    ("GET", "push/websites/total", "push/websites/total", None),
    ("GET", "push/websites/info/{id}", "push/websites/info/53", None),
    ("GET", "push/websites/{id}/variables", "push/websites/53/variables", None),
    ("GET", "push/websites/{id}/subscriptions", "push/websites/53/subscriptions", None),
    ("GET", "push/websites/{id}/subscriptions/total", "push/websites/53/subscriptions/total", None),
    ("GET", "push/websites/{id}/code", "push/websites/53/code", None),
    ("POST", "push/subscriptions/state", "push/subscriptions/state", {"id": 1, "state": 0}),
    ("DELETE", "emails/{email}", f"emails/{ANNA}", None),
    ("DELETE", "addressbooks/{id}", "addressbooks/500001", None),
]


def without_limits(sandbox: Sandbox) -> None:
    for bucket in SENDPULSE.limits:
        sandbox.limit(bucket, None)


def filled(sandbox: Sandbox, sendpulse: httpx.Client, path: str, body: Any) -> tuple[str, Any]:
    """Put ids that only a running sandbox knows into a request."""
    text = json.dumps(body)
    if "{email_id}" in path + text:
        number = sendpulse.get("smtp/emails").json()[0]["id"]
        return path.replace("{email_id}", number), json.loads(text.replace("{email_id}", number))
    if "{code}" in text:
        message = sandbox.messages("second@sandbox.example", "sendpulse")[0]
        return path, json.loads(text.replace("{code}", message["data"]["code"]))
    return path, body


def play(sandbox: Sandbox, sendpulse: httpx.Client, until: int) -> None:
    for method, label, path, body in GRANTED[:until]:
        if "{code}" in json.dumps(body) or label == "senders/{email}/code":
            sandbox.advance(1000)
        asked, said = filled(sandbox, sendpulse, path, body)
        answer = sendpulse.request(method, asked, json=said)
        assert answer.status_code == 200, (method, asked, answer.text)


def test_every_method_grants_a_good_request(sandbox: Sandbox, sendpulse: httpx.Client) -> None:
    without_limits(sandbox)
    play(sandbox, sendpulse, len(GRANTED))
    assert {(method, label) for method, label, _, _ in GRANTED} == set(ENDPOINTS)


def test_every_method_but_events_and_tokens_wants_a_credential(sandbox: Sandbox) -> None:
    without_limits(sandbox)
    with httpx.Client(base_url=sandbox.sendpulse_url, timeout=120) as nobody:
        for method, label, path, body in GRANTED:
            answer = nobody.request(method, path, json=body)
            if label in ("oauth/access_token", "events/id/{hash}/{user}"):
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized!", "error_code": 401})


ODD_BODIES = [
    *(b"", b"{", b"null", b"[]", b"[1]", b'"x"', b"1e999", b"\xff\xfe", b"[" * 100_000, b'{"email": "\\ud800"}'),
    b'{"id": 99999999999999999999999}',
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_method_survives_odd_paths_and_bodies(
    sandbox: Sandbox, sendpulse: httpx.Client, method: str, path: str
) -> None:
    without_limits(sandbox)
    sandbox.set(sendpulse__html_500=False)
    for value in ("500001", "x", "99999999999999999999", "%00", "%ff"):
        for body in ODD_BODIES:
            asked = path
            while "{" in asked:
                asked = asked[: asked.index("{")] + value + asked[asked.index("}") + 1 :]
            answer = sendpulse.request(method, asked, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (method, asked, body[:50], answer.text)
            assert isinstance(answer.json(), dict | list)


@pytest.mark.parametrize("path", [path for method, path in ENDPOINTS if method == "GET"])
def test_every_reading_method_survives_odd_queries(sandbox: Sandbox, sendpulse: httpx.Client, path: str) -> None:
    without_limits(sandbox)
    names = [
        *(
            "limit",
            "offset",
            "order",
            "active",
            "status",
            "status[]",
            "planed",
            "owner",
            "from",
            "to",
            "date",
            "phones",
        ),
        *("dateFrom", "dateTo", "website_id", "email", "recipient", "addressBookId", "body", "sender", "flow_type"),
        *("subscription_date_from", "subscription_date_to", "a[b][c]", "[", "a]["),
    ]
    asked = path.replace("{id}", "500001").replace("{book}", "500001").replace("{email}", ANNA)
    for value in ("-1", "x", "9" * 30, "%", "'", "2025-01-01", "0001-01-01 00:00:00", "9999-12-31", "\u0661", "[1]"):
        answer = sendpulse.get(asked, params=dict.fromkeys(names, value))
        assert answer.status_code < 500, (asked, value, answer.text)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["now", ANNA, PHONE, "500001", "9999-12-31 23:59:59", "0001-01-01 00:00:00", "[1]", "{}", "A=="]),
)
WILD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["email", "name", "id"]), inner),
    max_leaves=6,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a body something stands: keys and positions from the top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [above] if above else []
    for key, item in inner:
        found += places(item, (*above, key))
    return found


def replaced(body: Any, place: tuple[Any, ...], value: Any) -> Any:
    body = copy.deepcopy(body)
    inner = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return body


WRITES = [(n, place) for n, (_, _, _, body) in enumerate(GRANTED) if body for place in places(body)]


@pytest.fixture(scope="module")
def prepared() -> Any:
    """A sandbox of its own with something of everything in it, that the wild requests may spoil."""
    with Sandbox() as sandbox:
        without_limits(sandbox)
        sandbox.set(sendpulse__html_500=False)
        headers = {"Authorization": "Bearer sandbox-apikey"}
        with httpx.Client(base_url=sandbox.sendpulse_url, headers=headers, timeout=30) as client:
            play(sandbox, client, len(GRANTED))
            assert client.post("addressbooks", json={"bookName": "Other"}).json() == {"id": 500002}
            yield sandbox, client


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.sampled_from(WRITES), value=WILD, advance=st.sampled_from([0, 0, 1, 100]))
def test_a_good_request_with_one_wild_value_is_granted_or_refused(
    prepared: tuple[Sandbox, httpx.Client], where: tuple[int, tuple[Any, ...]], value: Any, advance: float
) -> None:
    sandbox, client = prepared
    method, _, path, body = GRANTED[where[0]]
    body = json.loads(json.dumps(replaced(body, where[1], value)).replace("500001", "500002"))
    answer = client.request(method, path.replace("500001", "500002"), content=json.dumps(body))
    assert answer.status_code < 500, (method, path, body, answer.text)
    assert isinstance(answer.json(), dict | list)
    sandbox.advance(advance)


def test_what_wild_requests_left_behind_can_be_shown(prepared: tuple[Sandbox, httpx.Client]) -> None:
    pages = ["messages", *(f"see/sendpulse/{section.name}" for section in SENDPULSE.sections)]
    assert {httpx.get(f"{prepared[0].url}/{page}").status_code for page in pages} == {200}
