"""Waiting on a worker for messages to be delivered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.models import Delivery, DeliveryState
from airflow_provider_esp.core.polling import wait_for_deliveries

PENDING, DELIVERED, FAILED = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED


class Service:
    """Messages that end after they were asked for so many times."""

    def __init__(self, looks: dict[str, tuple[int, DeliveryState, str]]) -> None:
        self.looks = looks
        self.asked: list[list[str]] = []
        self.silent_about: set[str] = set()

    def deliveries(self, request_ids: Sequence[str]) -> Flow[list[Delivery]]:
        yield from ()
        self.asked.append(list(request_ids))
        told = []
        for request_id in request_ids:
            looks, state, status = self.looks[request_id]
            ended = len(self.asked) >= looks
            if request_id not in self.silent_about:
                told.append(Delivery(request_id, state if ended else PENDING, status if ended else "QUEUED"))
        return told


def perform(work: Flow[Any]) -> Any:
    try:
        next(work)
    except StopIteration as end:
        return end.value
    raise AssertionError("this service needs no calls")


def wait(service: Service, seconds: float = 60) -> tuple[dict[str, int], dict[str, int], int]:
    return wait_for_deliveries(perform, service.deliveries, list(service.looks), time.time() + seconds, 0.01)


def test_each_message_is_counted_when_it_has_ended_and_not_asked_for_again() -> None:
    service = Service({"a": (1, DELIVERED, "READ"), "b": (3, FAILED, "BLACKLISTED"), "c": (2, DELIVERED, "DELIVERED")})
    states, statuses, pending = wait(service)
    assert states == {"delivered": 2, "failed": 1}
    assert statuses == {"READ": 1, "BLACKLISTED": 1, "DELIVERED": 1}
    assert pending == 0
    assert service.asked == [["a", "b", "c"], ["b", "c"], ["b"]]


def test_when_the_time_is_up_what_is_on_its_way_is_counted_as_such() -> None:
    service = Service({"a": (1, DELIVERED, "READ"), "b": (10**9, DELIVERED, "READ")})
    began = time.monotonic()
    states, _, pending = wait(service, 0.05)
    assert 0.05 <= time.monotonic() - began < 60
    assert (states, pending) == ({"delivered": 1}, 1)


@pytest.mark.parametrize("seconds", [0, -100])
def test_where_there_is_no_time_one_look_is_taken(seconds: float) -> None:
    service = Service({"a": (1, DELIVERED, "READ"), "b": (2, DELIVERED, "READ")})
    assert wait(service, seconds) == ({"delivered": 1}, {"READ": 1}, 1)
    assert len(service.asked) == 1


def test_nothing_is_asked_about_nobody() -> None:
    service = Service({})
    assert wait(service) == ({}, {}, 0)
    assert service.asked == []


def test_a_message_that_the_service_is_silent_about_is_still_on_its_way() -> None:
    service = Service({"a": (1, DELIVERED, "READ"), "b": (1, DELIVERED, "READ")})
    service.silent_about = {"b"}
    states, _, pending = wait(service, 0.03)
    assert (states, pending) == ({"delivered": 1}, 1)
    assert service.asked[-1] == ["b"]
