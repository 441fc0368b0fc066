"""Every answer of the sandbox is one that the vendor's specification describes, or a quirk that is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.decoding import decode
from tests.contract import checking, specifications
from tests.contract.quirks import ANSWER_QUIRKS, Ledger
from tests.contract.stage import TABLES, Stage
from tests.contract.table import Method

METHODS = [pytest.param(method, id=f"{service} {method.name}") for service in TABLES for method in TABLES[service]]


@dataclass(frozen=True)
class Manner:
    """A way in which the sandbox may answer, where accounts or pages differ.

    :ivar of: the beginning of the paths that it makes a difference to.
    """

    service: str
    switches: Mapping[str, Any]
    of: str = ""


MANNERS = (
    Manner("esputnik", {}),
    Manner(
        "esputnik",
        {
            "esputnik__collapse": False,
            "esputnik__quote": False,
            "esputnik__status_as_list": True,
            "esputnik__subscriptions_as_list": False,
        },
    ),
    Manner("sendpulse", {}),
    Manner("sendpulse", {"sendpulse__sms_in_array": True}, "sms/"),
    Manner("sendpulse", {"sendpulse__sms_in_array": True}, "addressbooks/{id}/phones"),
    Manner("sendpulse", {"sendpulse__string_codes": True}, "smtp/"),
)


@dataclass(frozen=True)
class Asked:
    """A call and what came back."""

    call: Call[Any]
    response: httpx.Response


@pytest.fixture(scope="module")
def asked(stages: dict[str, Stage]) -> Mapping[Method, list[Asked]]:
    """What the sandbox answers to every sample, in every manner."""
    found: dict[Method, list[Asked]] = {method: [] for service in TABLES for method in TABLES[service]}
    for manner in MANNERS:
        stage = stages[manner.service]
        stage.set(**manner.switches)
        for method in TABLES[manner.service]:
            found[method] += [Asked(call, stage.send(call)) for call in _calls(stage, method, manner.of)]
    for stage in stages.values():
        stage.set()
    return found


def _calls(stage: Stage, method: Method, prefix: str) -> Iterator[Call[Any]]:
    for number, rehearsal in enumerate(method.calls()):
        if rehearsal.label.startswith(prefix):
            stage.ready(rehearsal)
            yield method.call(number, stage.found)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(ANSWER_QUIRKS)


@pytest.fixture(scope="module")
def checked() -> set[Method]:
    return set()


@pytest.mark.parametrize("method", METHODS)
def test_the_sandbox_answers_every_method_as_the_vendor_says_it_would(
    method: Method, asked: Mapping[Method, list[Asked]], ledger: Ledger, checked: set[Method]
) -> None:
    assert asked[method]
    for one in asked[method]:
        assert one.response.status_code in (200, 201), (one.call.name, one.response.text)
        decode(one.response.content, one.call.answer)
        for operation in specifications.of(one.call):
            faults = checking.answer_faults(one.response, operation)
            unknown = [fault for fault in faults if not ledger.knows(one.call.name, fault)]
            assert not unknown, (one.call.name, operation.document, one.response.text)
    checked.add(method)


def test_no_quirk_of_answers_is_out_of_date(
    ledger: Ledger, checked: set[Method], asked: Mapping[Method, list[Asked]], say: Callable[[str], None]
) -> None:
    if len(checked) < len(METHODS):
        pytest.skip("not every method was checked")
    assert not ledger.unmet
    answers = sum(len(one) for one in asked.values())
    say(f"answers: {answers} of {len(METHODS)} functions' methods are as specified, but for {len(ledger.met)} quirks")
