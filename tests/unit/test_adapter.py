"""What a service does not implement is refused by name; what it implements has the arguments that callers give."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_esp.core.adapter import ServiceAdapter
from airflow_provider_esp.core.calls import Service
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.esputnik.adapter import EsputnikAdapter
from airflow_provider_esp.services.sendpulse.adapter import SendPulseAdapter


class Bare(ServiceAdapter[object]):
    """A service that implements nothing."""

    service = Service("bare", "Bare", "https://bare.example", lambda status, headers, body: None)


OPERATIONS = {
    name: method
    for name, method in vars(ServiceAdapter).items()
    if inspect.isfunction(method) and not name.startswith("_") and name != "check_access"
}


def arguments(method: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(method).parameters)[1:]


def test_there_are_operations() -> None:
    assert {"account_name", "upload", "send_messages", "send_events", "prepare_broadcast"} <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_is_not_implemented_is_refused_at_once_and_by_name(name: str) -> None:
    operation = getattr(Bare(None), name)
    with pytest.raises(Unsupported, match=r"^Bare cannot [a-z].*\."):
        operation(*(None for _ in arguments(OPERATIONS[name])))


def test_a_service_that_says_nothing_of_access_allows_all_work() -> None:
    Bare(None).check_access(["upload", "broadcasts"], "conn")


@pytest.mark.parametrize("adapter", [EsputnikAdapter, SendPulseAdapter])
def test_a_service_adds_no_public_name_and_changes_no_argument(adapter: type[ServiceAdapter[Any]]) -> None:
    own = {name: thing for name, thing in vars(adapter).items() if inspect.isfunction(thing)}
    assert own
    for name, method in own.items():
        assert arguments(method) == arguments(getattr(ServiceAdapter, name))
