"""Both drivers answer the same on every method, and mypy knows what each answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, assert_type

import msgspec
import pytest

from airflow_provider_esp.core.calls import Call, Flow, Pages
from airflow_provider_esp.core.models import Delivery, Import, Recipient, SendResult
from airflow_provider_esp.core.transport.async_client import AsyncClient
from airflow_provider_esp.core.transport.client import Client
from airflow_provider_esp.services.esputnik.api import contacts as esputnik_contacts
from airflow_provider_esp.services.esputnik.api import general, reading
from airflow_provider_esp.services.esputnik.api.models import Contact, ContactUpdate, Segment
from airflow_provider_esp.services.esputnik.mapping import contacts as esputnik_translate
from airflow_provider_esp.services.esputnik.mapping import messages as esputnik_messages
from airflow_provider_esp.services.sendpulse.api import account, addressbooks, automation, campaigns, events, sms, smtp
from airflow_provider_esp.services.sendpulse.api._request import Done, Total
from airflow_provider_esp.services.sendpulse.mapping import contacts as sendpulse_translate
from tests.contract.stage import LONGER, TABLES, TRANSLATIONS, Stage
from tests.contract.table import Longer, Method, Taken

SAMPLES = [
    pytest.param(service, method, number, id=f"{service} {method.name} {number}")
    for service in TABLES
    for method in (*TABLES[service], *TRANSLATIONS[service])
    for number in range(len(method.samples))
]

# What the sandbox draws by lot or reads off the clock differs between two runs of the same request.
_BY_CHANCE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.+Z]*"  # a moment
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a token
    r"|\b[0-9a-z]{6}-[0-9a-z]{6}-[0-9a-z]{2}\b"  # an SMTP message
)


def plain(answer: Any) -> Any:
    """An answer as JSON text that can be compared."""
    return _BY_CHANCE.sub("*", msgspec.json.encode(answer).decode())


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


Drivers = Callable[[str], tuple[Client, AsyncClient]]


@pytest.fixture(scope="module")
def drivers(stages: dict[str, Stage], loop: asyncio.Runner) -> Iterator[Drivers]:
    """One client of each kind for each service."""
    made = {name: (Client(stage.account), AsyncClient(stage.account)) for name, stage in stages.items()}
    yield made.__getitem__
    for client, async_client in made.values():
        client.close()
        loop.run(async_client.close())


@pytest.mark.parametrize(("service", "method", "number"), SAMPLES)
def test_both_drivers_answer_the_same(
    service: str, method: Method, number: int, stages: dict[str, Stage], drivers: Drivers, loop: asyncio.Runner
) -> None:
    stage, (client, async_client) = stages[service], drivers(service)
    rehearsal = method.call(number)
    stage.ready(rehearsal)
    answer = client.run(method.call(number, stage.found))
    stage.ready(rehearsal)
    other = loop.run(async_client.run(method.call(number, stage.found)))
    assert type(answer) is type(other)
    assert plain(answer) == plain(other)


def _longer(kind: str) -> list[Any]:
    return [pytest.param(name, one, id=f"{name} {one.name}") for name in LONGER for one in LONGER[name][kind]]


@pytest.mark.parametrize(("service", "flow"), _longer("flows"))
def test_both_drivers_carry_a_flow_to_the_same_end(
    service: str, flow: Longer, stages: dict[str, Stage], drivers: Drivers, loop: asyncio.Runner
) -> None:
    stage, (client, async_client) = stages[service], drivers(service)
    stage.ready(None)
    taken = next((given for given in flow.arguments.values() if isinstance(given, Taken)), Taken())
    answer = client.run(flow.begin(stage.found)), taken.handed_over()
    assert answer != (None, [])
    assert (loop.run(async_client.run(flow.begin(stage.found))), taken.handed_over()) == answer


@pytest.mark.parametrize(("service", "pages"), _longer("pages"))
def test_both_drivers_hand_out_the_same_rows(
    service: str, pages: Longer, stages: dict[str, Stage], drivers: Drivers, loop: asyncio.Runner
) -> None:
    stage, (client, async_client) = stages[service], drivers(service)
    stage.ready(None)

    async def read() -> list[Any]:
        return [row async for row in async_client.iterate(pages.begin(stage.found))]

    rows = list(client.iterate(pages.begin(stage.found)))
    assert rows, "the stage has nothing to hand out"
    assert [plain(row) for row in loop.run(read())] == [plain(row) for row in rows]


def test_mypy_knows_what_every_kind_of_work_answers() -> None:
    """The assertions are mypy's; nothing of them runs but the making of calls."""
    assert_type(general.account_info(), Call[general.AccountInfo])
    assert_type(esputnik_contacts.upsert(ContactUpdate(channels=[])), Call[esputnik_contacts.ContactId])
    assert_type(reading.groups(), Call[list[Segment]])
    assert_type(account.balance(), Call[account.Balance])
    assert_type(addressbooks.book(1), Call[list[addressbooks.Book]])
    assert_type(sms.campaign(1), Call[list[sms.SmsCampaignAnswer]])
    assert_type(campaigns.countries(1), Call[dict[str, int]])
    assert_type(automation.delete_log({}), Call[None])
    assert_type(smtp.is_unsubscribed("a@example.com"), Call[smtp.Answered])
    assert_type(events.event_by_name("n", {}, email="a@example.com"), Call[Done])
    assert_type(reading.find_contact(email="a@example.com"), Flow[int | None])
    assert_type(esputnik_translate.import_state("s"), Flow[Import])
    assert_type(esputnik_messages.smart_send(1, [Recipient("a@example.com")]), Flow[list[SendResult]])
    assert_type(sendpulse_translate.deliveries(["x"]), Flow[list[Delivery]])
    assert_type(sendpulse_translate.book_id("Readers"), Flow[int])
    assert_type(reading.contact_pages(), Pages[Contact])
    assert_type(addressbooks.all_emails(1), Pages[addressbooks.BookEmail])


def test_mypy_knows_what_the_drivers_give(stages: dict[str, Stage], drivers: Drivers, loop: asyncio.Runner) -> None:
    stages["esputnik"].ready(None)
    stages["sendpulse"].ready(None)
    client, async_client = drivers("esputnik")
    assert_type(client.run(general.balance()), general.Balance)
    assert_type(client.run(reading.find_contact(email="nobody@example.com")), int | None)
    assert_type(client.iterate(reading.group_pages()), Iterator[Segment])
    assert_type(loop.run(async_client.run(general.version())), general.Version)
    sendpulse, async_sendpulse = drivers("sendpulse")
    assert_type(sendpulse.run(addressbooks.books()), list[addressbooks.Book])
    assert_type(sendpulse.run(addressbooks.find("nothing")), int | None)
    assert_type(loop.run(async_sendpulse.run(smtp.emails_total())), Total)
