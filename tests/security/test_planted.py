"""Whatever a service answers to whichever call, neither our credential nor a person is in what is said about it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.core.transport.account import Account, Credential
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.core.transport.retry import RetryPolicy
from airflow_provider_esp.exceptions import EspException
from tests.contract.stage import HEADERS, SERVICES, TABLES, Stage, unthrottled
from tests.security.planting import CHANGES, REFUSALS, Planter

Refused = Callable[[str, str, str], None]
KEY = "Pl4nted-key/of+an~account=é"
CREDENTIALS = {
    "esputnik": f"Basic {base64.b64encode(f'any:{KEY}'.encode()).decode()}",
    "sendpulse": "Bearer sp_apikey.Pl4nted/with+signs=" + "x" * 40,
}


@pytest.fixture(scope="module", params=["esputnik", "sendpulse"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Stage(request.param) as stage:
        stage.ready(None)
        yield stage


@pytest.fixture
def planter(stage: Stage) -> Iterator[Planter]:
    with Planter(stage.sandbox.url) as planter:
        planter.authorization = HEADERS[stage.service]
        yield planter


def account(stage: Stage, planter: Planter) -> Account:
    return Account(
        SERVICES[stage.service],
        stage.base_url.replace(stage.sandbox.url, planter.url),
        Credential("planted", CREDENTIALS[stage.service], secrets=("sandbox-secret",)),
        unthrottled(stage.service),
        RetryPolicy(attempts=1),
        clock=itertools.count(0.0, 1000.0).__next__,  # so much later that no 429 is waited out
    )


def told(error: BaseException) -> str:
    """Everything that an exception can show."""
    parts = ["".join(traceback.format_exception(error)), repr(error), str(vars(error)), str(error.args)]
    return "\n".join(parts)


SHARES = 5
"""Each attack is tried with a part of the calls, and each call with many attacks: not every pair of the two."""


@pytest.mark.parametrize("driver", ["httpx", "aiohttp"])
@pytest.mark.parametrize("name", [*REFUSALS, *CHANGES])
def test_nothing_planted_is_in_an_exception_or_a_log(
    name: str, driver: str, stage: Stage, planter: Planter, caplog: pytest.LogCaptureFixture, refused: Refused
) -> None:
    planter.attack = {**REFUSALS, **CHANGES}[name]
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, "airflow_provider_esp")
    share = [*REFUSALS, *CHANGES].index(name) % SHARES
    chosen = calls(stage)[share::SHARES]
    if "429" in name:  # the next call finds no place
        chosen = chosen[:1]
    ours = account(stage, planter)
    said = asyncio.run(ask_all(ours, chosen)) if driver == "aiohttp" else ask_each(ours, chosen)
    assert planter.planted == len(chosen) > 0
    if name in REFUSALS:
        assert len(said) > len(chosen) / 2  # a call that takes any answer, or knows one as its own repetition, is fine
    texts = [*said, *(f"{record.name}: {record.getMessage()}" for record in caplog.records)]
    left = {(needle, text) for text in texts for needle in planter.needles() if needle in text}
    assert not left, "\n\n".join(f"{needle!r} in {text}" for needle, text in sorted(left)[:3])
    refused("secret or person quoted", f"all calls: {name}"[:30], "in no error, in no log")


def ask_each(working_for: Account, chosen: list[Call[Any]]) -> list[str]:
    said = []
    with Client(working_for) as client:
        for call in chosen:
            try:
                client.run(call)
            except EspException as error:
                said.append(told(error))
    return said


async def ask_all(working_for: Account, chosen: list[Call[Any]]) -> list[str]:
    said = []
    async with AsyncClient(working_for) as client:
        for call in chosen:
            try:
                await client.run(call)
            except EspException as error:
                said.append(told(error))
    return said


def calls(stage: Stage) -> list[Call[Any]]:
    """One call of each method of the service; those that take a whole address ask the server that it names."""
    found = [method.call(0, stage.found) for method in TABLES[stage.service]]
    return [call for call in found if "://" not in call.path]
