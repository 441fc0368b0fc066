"""Events in all their ways: by URL and by name, as JSON and as a form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.sendpulse.api import events
from airflow_provider_esp.services.sendpulse.api._request import Done

URL = "https://events.sendpulse.com/events/id/0123456789abcdef0123456789abcdef/7654321"


def sent(call: Call[Done]) -> Any:
    assert call.content is not None
    if call.content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(call.content.decode(), keep_blank_values=True, strict_parsing=True))
    return msgspec.json.decode(call.content)


def test_an_event_by_url_goes_there_without_a_credential() -> None:
    call = events.event_by_url(URL, {"product": "Tea", "price": 9.5}, email="ann@example.com")
    assert (call.method, call.path, call.authorised, call.repeatable) == ("POST", URL, False, False)
    assert sent(call) == {"email": "ann@example.com", "product": "Tea", "price": 9.5}


def test_an_event_by_url_can_be_a_form() -> None:
    products = [{"id": 1, "name": "Tea & Co"}, {"id": 2, "name": "Cup"}]
    call = events.event_by_url(
        URL, {"products": products, "new": True, "none": None, "sizes": [1, 2]}, phone="+380501112233", form=True
    )
    assert call.content_type == "application/x-www-form-urlencoded"
    assert sent(call) == {
        "phone": "+380501112233",
        "products[0][id]": "1",
        "products[0][name]": "Tea & Co",
        "products[1][id]": "2",
        "products[1][name]": "Cup",
        "new": "1",
        "sizes[0]": "1",
        "sizes[1]": "2",
    }


def test_an_event_by_name_goes_to_the_api_with_a_credential() -> None:
    call = events.event_by_name("my purchase/2", {"sum": 3}, email="ann@example.com", phone="380")
    assert (call.path, call.authorised, call.repeatable) == ("events/name/my%20purchase%2F2", True, False)
    assert sent(call) == {"email": "ann@example.com", "phone": "380", "sum": 3}


def test_an_event_by_name_can_go_to_the_host_of_events() -> None:
    call = events.event_by_name("purchase", {}, email="ann@example.com", host=events.EVENT_HOST + "/")
    assert call.path == "https://events.sendpulse.com/events/name/purchase"
    assert call.authorised
    assert call.label == "events/name/{event_name}"


@pytest.mark.parametrize("way", ["url", "form", "name"])
def test_the_flows_id_stands_at_the_top_in_every_way(way: str) -> None:
    if way == "name":
        call = events.event_by_name("e", {}, email="ann@example.com", automation_id=123)
    else:
        call = events.event_by_url(URL, {}, email="ann@example.com", automation_id=123, form=way == "form")
    assert sent(call) == {"email": "ann@example.com", "automation_id": "123" if way == "form" else 123}


def test_the_person_and_the_flow_may_stand_among_the_parameters() -> None:
    call = events.event_by_name("e", {"email": "ann@example.com", "automation_id": 5, "phone": None})
    assert sent(call) == {"email": "ann@example.com", "automation_id": 5}
    same = events.event_by_name("e", {"email": "ann@example.com"}, email="ann@example.com")
    assert sent(same) == {"email": "ann@example.com"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"params": {}}, "needs email or phone, as a string; both are missing or empty"),
        ({"params": {}, "email": " ", "phone": ""}, "needs email or phone"),
        ({"params": {"variables": {"email": "ann@example.com"}}}, "needs email or phone"),
        ({"params": {"phone": 380501112233}}, "phone is a string, not int"),
        ({"params": {"email": ["ann@example.com"]}}, "email is a string, not list"),
        ({"params": {"email": "ann@example.com"}, "email": "bob@example.com"}, "two different values for email"),
        ({"params": {"automation_id": "12"}, "email": "ann@example.com"}, "automation_id is a whole number, not str"),
        ({"params": {"automation_id": True}, "email": "ann@example.com"}, "automation_id is a whole number, not bool"),
        ({"params": {"automation_id": 1}, "automation_id": 2, "email": "a@b.c"}, "different values for automation_id"),
    ],
)
def test_what_is_missing_is_named_and_never_quoted(given: dict[str, Any], message: str) -> None:
    ways: list[Callable[..., Call[Done]]] = [partial(events.event_by_name, "e"), partial(events.event_by_url, URL)]
    for make in ways:
        with pytest.raises(ValueError, match=message) as caught:
            make(**given)
        assert "example.com" not in str(caught.value)
        assert "380501112233" not in str(caught.value)


def test_an_empty_phone_beside_an_address_is_left_out() -> None:
    assert sent(events.event_by_name("e", {}, email=" ann@example.com ", phone="")) == {"email": "ann@example.com"}


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/sendpulse/events/id/a/1", "http://localhost/events/id/a/1", "http://[::1]:1/e", URL],
)
def test_https_and_loopback_are_safe_to_send_to(url: str) -> None:
    assert events.event_by_url(url, {}, email="ann@example.com").path == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://events.sendpulse.com/events/id/a/1", "must be https"),
        ("http://127.0.0.1.evil.example/x", "must be https"),
        ("https://me:pass@events.sendpulse.com/x", "not a plain web address"),
        ("events.sendpulse.com/events/id/a/1", "not a plain web address"),
        ("ftp://events.sendpulse.com/x", "not a plain web address"),
        ("https:///events/id/a/1", "not a plain web address"),
        ("", "not a plain web address"),
    ],
)
def test_no_other_address_is(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        events.event_by_url(url, {}, email="ann@example.com")
    with pytest.raises(ValueError, match=message):
        events.event_by_name("e", {}, email="ann@example.com", host=url)


VALUE = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=3), inner, min_size=1),
    max_leaves=6,
)
PARAMS = st.dictionaries(st.text(min_size=1, max_size=6).filter(lambda n: n not in ("email", "phone")), VALUE)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [str(int(value)) if isinstance(value, bool) else str(value)]


@given(params=PARAMS)
def test_json_says_just_what_was_given(params: dict[str, Any]) -> None:
    params.pop("automation_id", None)
    assert sent(events.event_by_name("e", params, email="a@b.c")) == {"email": "a@b.c", **params}


@given(params=PARAMS)
def test_a_form_loses_no_value(params: dict[str, Any]) -> None:
    params.pop("automation_id", None)
    fields = list(events.form_fields(params))
    assert [value for _, value in fields] == leaves(params)
