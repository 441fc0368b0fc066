"""Neutral messages, deliveries and events to eSputnik's and back: nobody gets another's result."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.decoding import decode
from airflow_provider_esp.core.models import DELIVERY_WORDS, DeliveryState, Event, Recipient, SendResult
from airflow_provider_esp.exceptions import DecodingError
from airflow_provider_esp.services.esputnik.api import messages
from airflow_provider_esp.services.esputnik.mapping import messages as message_mapping

ANN = "ann@x.example"


def answer(flow: Generator[Any, Any, Any], *replies: Any) -> tuple[Any, list[Call[Any]]]:
    """Run a flow with these replies: what it returns, and its calls."""
    calls = [next(flow)]
    for reply in replies:
        try:
            calls.append(flow.send(reply))
        except StopIteration as end:
            assert len(calls) == len(replies), "a reply was not asked for"
            return end.value, calls
    raise AssertionError("the flow asks for more")


def body(call: Call[Any]) -> Any:
    return msgspec.json.decode(call.content or b"")


# -- messages ----------------------------------------------------------------------------------------------------


def sent(locator: str | None, status: str = "OK", message: str | None = None) -> messages.SendResult:
    return messages.SendResult(
        locator=locator, status=status, request_id=f"r-{locator}" if status == "OK" else None, message=message
    )


def test_a_message_carries_each_recipients_own_data() -> None:
    people = [
        Recipient(ANN, {"name": "Ann", "items": [1]}, language="uk", request_id="mine"),
        Recipient("bob@x.example", external_id="c-2"),
    ]
    results = messages.SendResults(results=[sent(ANN), sent("bob@x.example")])
    told, calls = answer(message_mapping.smart_send(7, people, external_request_id="batch", from_name="Shop"), results)
    assert told == [
        SendResult(accepted=True, request_id=f"r-{ANN}"),
        SendResult(accepted=True, request_id="r-bob@x.example"),
    ]
    assert body(calls[0]) == {
        "recipients": [
            {
                "locator": ANN,
                "jsonParam": '{"name":"Ann","items":[1]}',
                "languageCode": "uk",
                "externalRequestId": "mine",
            },
            {"locator": "bob@x.example", "externalCustomerId": "c-2", "externalRequestId": "batch"},
        ],
        "email": True,
        "fromName": "Shop",
    }


def test_a_message_to_phones_is_no_email() -> None:
    _, calls = answer(
        message_mapping.smart_send(7, [Recipient("380501112233")]),
        messages.SendResults(results=[sent("380501112233")]),
    )
    assert body(calls[0])["email"] is False


def test_email_addresses_and_phones_do_not_go_into_one_message() -> None:
    with pytest.raises(ValueError, match="send to them apart"):
        answer(message_mapping.smart_send(7, [Recipient(ANN), Recipient("380501112233")]))


def match(locators: Sequence[str], *results: messages.SendResult) -> list[SendResult]:
    return message_mapping.match_results([Recipient(locator) for locator in locators], results)


def test_results_are_matched_by_address_whatever_their_order_and_case() -> None:
    told = match(
        ["Ann@x.example", "bob@x.example"],
        sent("BOB@x.example", "ERROR", "'BOB@x.example' is not valid email"),
        sent("ann@x.example"),
    )
    assert told[0] == SendResult(accepted=True, request_id="r-ann@x.example")
    assert told[1] == SendResult(accepted=False, reason="'BOB@x.example' is not valid email")


def test_the_same_address_twice_takes_results_in_their_order() -> None:
    first, second = sent(ANN), messages.SendResult(locator=ANN, status="OK", request_id="r-2")
    assert [told.request_id for told in match([ANN, ANN], first, second)] == [f"r-{ANN}", "r-2"]


def test_one_that_is_left_over_belongs_to_the_one_that_is_left_over() -> None:
    told = match([ANN, "0501112233"], sent("380501112233"), sent(ANN))
    assert told[1].request_id == "r-380501112233"
    assert match([ANN], sent(None)) == [SendResult(accepted=True, request_id="r-None")]


def test_a_recipient_the_answer_does_not_mention_is_not_accepted() -> None:
    told = match([ANN, "bob@x.example", "cid@x.example"], sent("cid@x.example"))
    assert [one.accepted for one in told] == [False, False, True]
    assert {one.reason for one in told[:2]} == {message_mapping.UNANSWERED}


def test_an_error_without_words_says_at_least_so() -> None:
    assert match([ANN], sent(ANN, "ERROR"))[0].reason == "the service answers ERROR"
    assert match([ANN], messages.SendResult(locator=ANN))[0].reason == "the service answers no status"


@given(st.permutations(range(7)), st.sets(st.integers(0, 6)))
def test_nobody_gets_another_persons_result(order: list[int], refused: set[int]) -> None:
    locators = [f"p{number}@x.example" for number in range(7)]
    results = [sent(locators[number].upper(), "ERROR" if number in refused else "OK", "no") for number in order]
    for number, told in enumerate(match(locators, *results)):
        assert told.accepted is (number not in refused)
        assert told.request_id == (None if number in refused else f"r-{locators[number].upper()}")


def test_an_answer_without_results_is_no_answer_to_a_send() -> None:
    with pytest.raises(DecodingError):
        decode(b"{}", messages.SendResults)
    assert decode(b'{"id":"0","results":{"locator":"a","status":"OK","requestId":"r"}}', messages.SendResults).results


# -- deliveries --------------------------------------------------------------------------------------------------

STATUS_WORDS = {
    *("IN_QUEUE", "DELIVERED", "UNDELIVERED", "BLACKLISTED", "NOT_CONFIRMED", "UNSUBSCRIBED", "SPAM", "READ"),
    *("CLICKED", "NO_MONEY", "ERROR"),
    *("PENDING", "SMS_UNDELIVERED_STATE", "EXPIRED"),
    *("VIBER_UNKNOWN_USER", "VIBER_UNDELIVERED_STATE", "VIBER_EXPIRED_STATE"),
    "BOT_SEND_ERROR",
}


def statuses(*rows: messages.MessageStatus) -> list[messages.MessageStatuses]:
    return [messages.MessageStatuses(results=list(rows))]


def state_of(status: messages.MessageStatus) -> DeliveryState:
    told, _ = answer(message_mapping.deliveries([status.request_id]), statuses(status))
    state: DeliveryState = told[0].state
    return state


def test_every_documented_status_word_has_a_state() -> None:
    assert set(message_mapping.DELIVERY_STATES) == STATUS_WORDS


@pytest.mark.parametrize("word", sorted(STATUS_WORDS))
def test_a_status_word_counts_where_the_flags_say_nothing(word: str) -> None:
    pending = word in ("IN_QUEUE", "PENDING")
    there = word in ("DELIVERED", "READ", "CLICKED", "SPAM")
    wanted = DeliveryState.PENDING if pending else DeliveryState.DELIVERED if there else DeliveryState.FAILED
    assert state_of(messages.MessageStatus(request_id="r", status=word)) is wanted
    assert state_of(messages.MessageStatus(request_id="r", status=word.lower())) is wanted


def test_the_flags_count_more_than_the_word() -> None:
    assert state_of(messages.MessageStatus(request_id="r", status="SPAM", failed=True)) is DeliveryState.FAILED
    assert (
        state_of(messages.MessageStatus(request_id="r", status="UNSUBSCRIBED", delivered=True))
        is DeliveryState.DELIVERED
    )
    assert state_of(messages.MessageStatus(request_id="r", status="PONDERING")) is DeliveryState.PENDING


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("DELIVERED", ""),
        ("READ", "read"),
        ("CLICKED", "clicked"),
        ("SPAM", "complained"),
        ("UNSUBSCRIBED", "unsubscribed"),
        ("UNDELIVERED", "bounced"),
        ("VIBER_EXPIRED_STATE", "bounced"),
        ("BLACKLISTED", "refused"),
        ("IN_QUEUE", ""),
        ("SOMETHING_NEW", ""),
    ],
)
def test_what_is_known_beyond_the_state_is_said_in_shared_words(status: str, word: str) -> None:
    (told,), _ = answer(
        message_mapping.deliveries(["r"]), statuses(messages.MessageStatus(request_id="r", status=status))
    )
    assert (told.status, told.word) == (status, word)
    assert not word or word in DELIVERY_WORDS


def test_deliveries_come_in_the_order_they_were_asked_for_and_missing_ones_are_pending() -> None:
    told, _ = answer(
        message_mapping.deliveries(["a", "B", "c"]),
        statuses(messages.MessageStatus(request_id="c", status="READ"), messages.MessageStatus(request_id="b")),
    )
    assert [(one.request_id, one.state, one.status) for one in told] == [
        ("a", DeliveryState.PENDING, ""),
        ("B", DeliveryState.PENDING, ""),
        ("c", DeliveryState.DELIVERED, "READ"),
    ]


def test_deliveries_are_asked_for_by_the_hundred() -> None:
    ids = [f"r{number}" for number in range(205)]
    told, calls = answer(message_mapping.deliveries(ids), statuses(), statuses(), statuses())
    assert [str(call.query["ids"]).count(",") + 1 for call in calls] == [100, 100, 5]
    assert [one.request_id for one in told] == ids


def test_no_ids_ask_nothing() -> None:
    with pytest.raises(StopIteration) as end:
        next(message_mapping.deliveries([]))
    assert end.value.value == []


@pytest.mark.parametrize(
    "content",
    [
        b'{"results":{"status":"READ","requestId":"r","failed":"false","delivered":"true"}}',
        b'[{"results":[{"status":"READ","requestId":"r","failed":false,"delivered":true}]}]',
        b'[{"results":{"status":"READ","requestId":"r"}}]',
    ],
)
def test_a_status_is_read_in_every_shape_it_was_seen_in(content: bytes) -> None:
    told, _ = answer(message_mapping.deliveries(["r"]), decode(content, list[messages.MessageStatuses]))
    assert told[0].state is DeliveryState.DELIVERED


# -- events ------------------------------------------------------------------------------------------------------


def params(call: Call[Any]) -> dict[str, Any]:
    return {param["name"]: param["value"] for param in body(call)["params"]}


def test_an_event_names_its_person_in_its_parameters() -> None:
    call = message_mapping.event(Event("bought", {"sum": 5}, email=ANN, phone="380"))
    assert params(call) == {"email": ANN, "phone": "380", "sum": 5}
    assert "keyValue" not in body(call)


def test_a_key_does_not_take_the_place_of_the_person() -> None:
    call = message_mapping.event(Event("bought", email=ANN, key="order-5"))
    assert body(call)["keyValue"] == "order-5"
    assert params(call) == {"email": ANN}


def test_a_parameter_that_names_the_person_already_is_left_alone() -> None:
    call = message_mapping.event(Event("bought", {"EmailAddress": ANN.upper()}, email=ANN))
    assert params(call) == {"EmailAddress": ANN.upper()}


def test_an_empty_parameter_is_filled_in() -> None:
    assert params(message_mapping.event(Event("bought", {"Email": ""}, email=ANN))) == {"email": ANN}


def test_two_different_people_in_one_event_are_refused_without_quoting_them() -> None:
    with pytest.raises(ValueError, match="one email of its own and another") as refused:
        message_mapping.event(Event("bought", {"UserEmail": "bob@x.example"}, email=ANN))
    assert "x.example" not in str(refused.value)


def test_an_event_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="Nothing says whose event bought is"):
        message_mapping.event(Event("bought", {"sum": 5, "email": ""}))


@pytest.mark.parametrize("event", [Event("t", {"contact_Id": 5}), Event("t", {"PushToken": "p"}), Event("t", key="k")])
def test_an_id_a_token_or_a_key_says_whose_event_it_is(event: Event) -> None:
    assert message_mapping.event(event).content


def test_an_event_has_versions_1_and_2() -> None:
    assert message_mapping.event(Event("t", {"a": [1]}, email=ANN), 1).path == "v1/event"
    with pytest.raises(ValueError, match="not 3"):
        message_mapping.event(Event("t", email=ANN), 3)


@given(
    st.dictionaries(st.text(min_size=1, max_size=20), st.none() | st.integers() | st.text(max_size=20), max_size=5),
    st.emails(),
)
def test_an_event_keeps_its_parameters_and_always_tells_the_person(data: dict[str, Any], email: str) -> None:
    data = {name: value for name, value in data.items() if not name.lower().endswith(("email", "emailaddress"))}
    assert params(message_mapping.event(Event("t", data, email=email))) == {"email": email, **data}
