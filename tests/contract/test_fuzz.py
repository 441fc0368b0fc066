"""Requests made from the specification never break the sandbox, and each of its answers is one of the vendor's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings

from airflow_provider_esp.core.calls import Kind
from tests.contract import checking, specifications, wild
from tests.contract.quirks import ANSWER_QUIRKS, ECHOED_QUIRKS, Ledger
from tests.contract.specifications import Operation
from tests.contract.stage import SERVICES, TABLES, Stage, serves

CALLED = {
    (call.service, specifications.bare(call.name))
    for table in TABLES.values()
    for method in table
    for call in method.calls()
}
OPERATIONS = [
    pytest.param(operation, id=f"{operation.document} {operation.name}")
    for operations in specifications.operations().values()
    for operation in operations
    if serves(operation.service, operation.name)
]


@pytest.fixture(scope="module")
def statuses() -> Counter[int]:
    """How often each status was answered."""
    return Counter()


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger((*ANSWER_QUIRKS, *ECHOED_QUIRKS))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_of_the_specification_breaks_the_sandbox(
    operation: Operation,
    stages: dict[str, Stage],
    statuses: Counter[int],
    ledger: Ledger,
    contract_profile: settings,
) -> None:
    stage, refusal = stages[operation.service], SERVICES[operation.service].refusal

    def check(asked: wild.Asked) -> None:
        stage.ready_for(asked.method)
        response = stage.ask(asked.method, asked.path, asked.query, asked.content)
        status = response.status_code
        statuses[status] += 1
        assert status < 500, (asked, response.text)
        refused = refusal(status, dict(response.headers), response.content)
        assert (refused is None) == (status < 300), (asked, response.text)
        assert refused is None or refused.kind not in (Kind.UNEXPECTED, Kind.SERVER), (asked, response.text)
        # An answer may repeat what is wrong in its request. Quirks are known of the methods that functions call.
        if not asked.spoilt and operation.key in CALLED:
            faults = checking.answer_faults(response, operation)
            assert not [fault for fault in faults if not ledger.knows(operation.name, fault)], (asked, response.text)

    examples = settings(contract_profile, max_examples=contract_profile.max_examples * 3 // 5)
    examples(given(wild.requests(operation))(check))()


def test_the_requests_reach_the_methods(statuses: Counter[int], say: Callable[[str], None]) -> None:
    """Were nearly all of them refused, little would have been tried."""
    if statuses.total() < 10 * len(OPERATIONS):
        pytest.skip("not every method was tried")
    assert statuses[200] > statuses.total() / 5
    say(f"fuzz: {statuses.total()} requests to {len(OPERATIONS)} methods, answered {dict(sorted(statuses.items()))}")
