"""Counting deliveries look by look, and judging when they are far enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.delivery_stats import DeliveryCondition, DeliveryStats
from airflow_provider_esp.core.models import DELIVERY_WORDS, Delivery, DeliveryState

PENDING, DELIVERED, FAILED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED


def told(*words: str) -> DeliveryStats:
    """A tally of one message for each word: a state, or ``bounced``."""
    tally = DeliveryStats(f"m{number}" for number in range(len(words)))
    states = {"bounced": FAILED, "read": DELIVERED}
    tally.take(
        Delivery(f"m{number}", states.get(word) or DeliveryState(word), word.upper(), word if word in states else "")
        for number, word in enumerate(words)
    )
    return tally


# -- counting ------------------------------------------------------------------------------------------------------


def test_what_has_ended_is_counted_for_good_and_not_asked_about_again() -> None:
    tally = DeliveryStats(["a", "b", "c"])
    tally.take([Delivery("a", DELIVERED, "READ", "read"), Delivery("b", PENDING, "IN_QUEUE")])
    assert tally.open == ["b", "c"]
    tally.take([Delivery("b", FAILED, "UNDELIVERED", "bounced")])
    assert tally.open == ["c"]
    assert tally.summary() == {
        "total": 3,
        "pending": 1,
        "delivered": 1,
        "failed": 1,
        "words": {"bounced": 1, "read": 1},
        "statuses": {"READ": 1, "UNDELIVERED": 1},
    }
    assert (tally.states(), tally.statuses()) == ({"delivered": 1, "failed": 1}, {"READ": 1, "UNDELIVERED": 1})


def test_an_id_that_stands_for_many_is_open_until_the_last_has_ended_and_counts_each_once() -> None:
    tally = DeliveryStats(["7"])
    tally.take([Delivery("7", DELIVERED, "2"), Delivery("7", PENDING, "1")])
    assert (tally.open, tally.total, tally.count("delivered")) == (["7"], 2, 1)
    tally.take([Delivery("7", DELIVERED, "2"), Delivery("7", FAILED, "12", "bounced")])
    assert (tally.open, tally.total, tally.count("delivered"), tally.count("bounced")) == ([], 2, 1, 1)


@pytest.mark.parametrize("name", ["failed", "bounced", "550", "550 No such user", "FAILED"])
def test_a_message_may_be_called_by_its_state_a_shared_word_or_the_services_own(name: str) -> None:
    tally = DeliveryStats(["a", "b"])
    tally.take([Delivery("a", FAILED, "550 No such user", "bounced"), Delivery("b", DELIVERED, "250 OK")])
    assert tally.count(name) == 1


@given(st.lists(st.sampled_from(["pending", "delivered", "failed", "bounced", "read"])))
def test_every_message_has_one_state(words: list[str]) -> None:
    tally = told(*words)
    summary = tally.summary()
    assert summary["pending"] + summary["delivered"] + summary["failed"] == summary["total"] == len(words)
    assert len(tally.open) == summary["pending"]


# -- judging -------------------------------------------------------------------------------------------------------


def test_without_a_share_the_wait_is_over_when_nothing_is_open_however_it_ended() -> None:
    assert DeliveryCondition().verdict(told("delivered", "pending")) is None
    verdict = DeliveryCondition().verdict(told("delivered", "failed"))
    assert verdict is not None
    assert (verdict.success, verdict.reason) == (True, "1 of 2 messages (50.0%) are delivered, and none is open")


def test_a_share_is_reached_while_others_are_still_on_their_way() -> None:
    assert DeliveryCondition(0.75).verdict(told("delivered", "delivered", "pending", "pending")) is None
    verdict = DeliveryCondition(0.75).verdict(told("delivered", "read", "delivered", "pending"))
    assert verdict is not None
    assert verdict.success


def test_a_share_that_cannot_be_reached_any_more_ends_the_wait_at_once() -> None:
    verdict = DeliveryCondition(0.75).verdict(told("bounced", "failed", "pending", "pending"))
    assert verdict is not None
    assert (verdict.success, "75.0% cannot be delivered any more" in verdict.reason) == (False, True)


def test_too_many_of_a_kind_end_the_wait_although_the_share_is_reached() -> None:
    goal = DeliveryCondition(0.5, {"bounced": 0.2})
    verdict = goal.verdict(told("delivered", "delivered", "bounced", "pending"))
    assert verdict is not None
    assert verdict == (False, "1 of 4 messages (25.0%) are bounced, and fail_when allows 20.0%")
    assert goal.verdict(told("delivered", "delivered", "bounced", "delivered", "delivered")) is not None


@given(st.integers(1, 400), st.integers(1, 100))
def test_as_many_as_the_share_says_are_enough_whatever_floats_make_of_it(total: int, percent: int) -> None:
    needed = -(-total * percent // 100)
    share = percent / 100
    enough = DeliveryCondition(share).verdict(told(*["delivered"] * needed, *["pending"] * (total - needed)))
    assert enough is not None
    assert enough.success
    assert (
        DeliveryCondition(share).verdict(told(*["delivered"] * (needed - 1), *["pending"] * (total - needed + 1)))
        is None
    )
    allowed = total * percent // 100
    bounced = told(*["bounced"] * allowed, *["pending"] * (total - allowed))
    if percent < 100:
        assert DeliveryCondition(None, {"bounced": share}).verdict(bounced) is None


def test_nobody_to_wait_for_is_the_end_of_the_wait() -> None:
    verdict = DeliveryCondition(0.95, {"bounced": 0.0}).verdict(DeliveryStats([]))
    assert verdict is not None
    assert verdict.success


@pytest.mark.parametrize("until", [0, 1.5, -0.1, 95, True, "0.9"])
def test_a_share_that_is_none_is_refused(until: float) -> None:
    with pytest.raises(ValueError, match="until is a share from 0 to 1"):
        DeliveryCondition(until).check()


@pytest.mark.parametrize("name", ["bouncd", "Bounced", "", " ", "undelivered"])
def test_a_misspelt_word_is_refused_where_it_would_never_be_met(name: str) -> None:
    with pytest.raises(ValueError, match="fail_when knows no"):
        DeliveryCondition(None, {name: 0.05}).check()


def test_shared_words_and_the_services_own_are_taken() -> None:
    DeliveryCondition(1, dict.fromkeys([*DELIVERY_WORDS, "UNDELIVERED", "NO_MONEY", "550"], 0.05)).check()
