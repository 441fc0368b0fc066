"""Every request that the functions build is one that the vendor's specification describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from airflow_provider_esp.exceptions import Unsupported
from tests.contract import arguments, checking, specifications
from tests.contract.quirks import REQUEST_QUIRKS, Ledger
from tests.contract.stage import TABLES, TRANSLATIONS
from tests.contract.table import Method, filled

SPECIFIED = [
    pytest.param(method, id=f"{service} {method.name}")
    for service in TABLES
    for method in (*TABLES[service], *TRANSLATIONS[service])
    if any(specifications.of(call) for call in method.calls())
]


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(REQUEST_QUIRKS)


@pytest.fixture(scope="module")
def checked() -> Counter[Method]:
    """How many requests of each function were looked at."""
    return Counter()


@pytest.mark.parametrize("method", SPECIFIED)
def test_whatever_the_arguments_the_request_is_the_vendors(
    method: Method, ledger: Ledger, checked: Counter[Method], contract_profile: settings
) -> None:
    built = 0

    def check(chosen: dict[str, Any]) -> None:
        nonlocal built
        try:
            call = method.function(**chosen)
        except (ValueError, Unsupported):
            return  # a guard: no request is made
        built += 1
        for operation in specifications.of(call):
            unknown = [
                fault for fault in checking.request_faults(call, operation) if not ledger.knows(call.name, fault)
            ]
            assert not unknown, (call.name, operation.document, call.query_string, call.content)

    for sample in method.samples:
        check(dict(filled(sample, None)))
    contract_profile(given(arguments.arguments(method))(check))()
    assert built > len(method.samples), "the guards left nothing to test"
    checked[method] = built


def test_no_quirk_of_requests_is_out_of_date(
    ledger: Ledger, checked: Counter[Method], say: Callable[[str], None]
) -> None:
    if len(checked) < len(SPECIFIED):
        pytest.skip("not every method was checked")
    assert not ledger.unmet
    built = f"{checked.total()} requests of {len(checked)} functions"
    say(f"requests: {built} are as specified, but for {len(ledger.met)} quirks")
