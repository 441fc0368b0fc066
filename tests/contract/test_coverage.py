"""`docs/coverage.md` has every method and is up to date, and the table that it is made from has every function."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import make_coverage
import pytest

from airflow_provider_esp import services
from tests.contract.stage import LONGER, TABLES, TRANSLATIONS

ESPUTNIK = """
GET v1/version, GET v2/version, GET v1/account/info, GET v1/balance, GET v1/subscriptions, GET v1/addressbooks,
POST v1/messages/email, GET v1/messages/email, GET v1/messages/email/{id}, PUT v1/messages/email/{id},
DELETE v1/messages/email/{id}, PUT v1/messages/email/{id}/{language}, DELETE v1/messages/email/{id}/{language},
GET v1/messages/email/{id}/viewLink, GET v1/messages/sms, GET v1/messages/sms/{id}, GET v1/interfaces/email,
GET v1/interfaces/sms, GET v1/callouts/sms, GET v1/contact/token/activated/{app_uuid}/{token_id},
PUT v1/contact/token/activated/{app_uuid}/{token_id}, PUT v1/interactions/{interaction_id}/status,

POST v1/contacts, POST v1/contacts/upload, GET v1/importstatus/{sessionId}, POST v1/contact, PUT v1/contact/{id},
DELETE v1/contact/{id}, PUT v1/contact/{id}/subscriptions, POST v1/contact/subscribe, POST v1/emails/unsubscribed/add,
POST v1/emails/unsubscribed/delete, POST v1/group/{id}/contacts/detach,

GET v1/contacts, GET v1/contact/{id}, GET v1/contacts/email, GET v1/contact/{id}/subscriptions, GET v1/groups,
GET v1/group/{id}/contacts,

GET v1/contacts/activity, GET v2/contacts/activity,

POST v1/event, POST v2/event, POST v1/past_events, POST v2/past_events, DELETE v1/past_events,

POST v1/message/{id}/smartsend, POST v1/message/{id}/send, GET v1/message/status, POST v1/message/email,
GET v1/message/email/status, POST v1/message/sms, GET v1/message/sms/status, POST v1/message/viber,
GET v1/message/viber/status, POST v1/broadcast, GET v1/broadcast/{broadcast_id}, DELETE v1/broadcast/{broadcast_id},
GET v1/broadcasts,

GET v1/event, GET v1/site/domains, POST v1/site/domains, GET v1/site/script, GET v1/site/webpush/domains,
POST v1/site/webpush/domains, DELETE v1/site/webpush/domains, GET v1/site/webpush/script,

POST v1/orders, POST v1/group/{id}/contacts/attach, DELETE v1/contact, GET v2/contacts/messages,
GET v1/balance/history, GET v1/workflows, GET v1/promocodes, POST v1/promocodes, GET v1/promocodes/count
"""
"""By group: general, updating and reading contacts and segments, activity, events, messages, and beyond."""

SENDPULSE = """
POST events/id/{event_hash}/{user_id}, POST events/name/{event_name},

GET a360/autoresponders/list, GET a360/autoresponders/{ID}, GET a360/autoresponders/{ID}/total-stats,
GET a360/stats/main-trigger/{ID}/group-stat, GET a360/stats/email/{ID}/group-stat,
GET a360/stats/push/{ID}/group-stat, GET a360/stats/sms/{ID}/group-stat, GET a360/stats/messenger/{ID}/group-stat,
GET a360/stats/filter/{ID}/group-stat, GET a360/stats/trigger/{ID}/group-stat, GET a360/stats/goal/{ID}/group-stat,
GET a360/stats/action/{ID}/group-stat, GET a360/autoresponders/{id}/conversions,

POST addressbooks, GET addressbooks, GET addressbooks/{id}, PUT addressbooks/{id}, DELETE addressbooks/{id},
GET addressbooks/{id}/variables, POST addressbooks/{id}/emails, GET addressbooks/{id}/emails,
GET addressbooks/{id}/emails/total, GET addressbooks/{id}/emails/{email}, POST addressbooks/{id}/emails/unsubscribe,
DELETE addressbooks/{id}/emails, POST addressbooks/{id}/emails/variable, PUT addressbooks/{id}/phone,
GET addressbooks/{id}/variables/{variableName}/{searchValue}, GET addressbooks/{id}/cost,
GET addressbooks/{id}/campaigns, GET emails/{email}, POST emails, GET emails/{email}/details,
GET emails/{email}/campaigns, POST emails/campaigns, DELETE emails/{email},

POST campaigns, GET campaigns, GET campaigns/{id}, PATCH campaigns/{id}, DELETE campaigns/{id},
GET campaigns/{id}/countries, GET campaigns/{id}/referrals, GET campaigns/{id}/email/{email},

POST smtp/emails, GET smtp/emails, GET smtp/emails/{id}, GET smtp/emails/total, POST smtp/emails/info,
GET smtp/bounces/day, GET smtp/bounces/day/total, POST smtp/unsubscribe, DELETE smtp/unsubscribe, GET smtp/unsubscribe,
GET smtp/unsubscribe/search, GET smtp/domains, POST smtp/domains, GET smtp/domains/{email},
POST smtp/resubscribe, GET smtp/senders, GET smtp/ips,

POST sms/send, POST sms/campaigns, GET sms/campaigns/info/{id}, PUT sms/campaigns/cancel/{id}, GET sms/campaigns/cost,
GET sms/campaigns/list, DELETE sms/campaigns, GET sms/senders, POST sms/numbers, PUT sms/numbers, DELETE sms/numbers,

POST verifier-service/send-list-to-verify, GET verifier-service/get-progress, GET verifier-service/check,
GET verifier-service/check-list, POST verifier-service/send-single-to-verify, GET verifier-service/get-single-result,
GET verifier-service/delete-single-result, POST verifier-service/make-report, GET verifier-service/check-report,

POST viber, POST viber/update, GET viber/task, GET viber/task/{id}, GET viber/task/{id}/recipients, GET viber/senders,
POST push/tasks, GET push/tasks, GET push/tasks/{id}, GET push/websites,

POST template, POST template/edit/{id}, GET template/{template_id}, GET template/slug/{name_slug}, GET templates,
GET templates/{lang},
GET senders, POST senders, DELETE senders, GET senders/{email}/code, POST senders/{email}/code,
GET blacklist, POST blacklist, DELETE blacklist, GET balance, GET balance/{currency}, GET user/balance/detail,
GET user/info
"""
"""By group: events, flows, mailing lists, campaigns, SMTP, SMS, Viber and web push, and the account's own things."""


def rows() -> list[list[str]]:
    """The lines of the tables of methods, cell by cell."""
    lines = [line for line in make_coverage.FILE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] in ("GET", "POST", "PUT", "PATCH", "DELETE")]


def test_the_page_is_up_to_date() -> None:
    kept = make_coverage.FILE.read_text(encoding="utf-8")
    assert kept == make_coverage.text(), "run: python scripts/make_coverage.py"


@pytest.mark.parametrize("methods", [ESPUTNIK, SENDPULSE], ids=["esputnik", "sendpulse"])
def test_every_method_has_a_row(methods: str) -> None:
    wanted = {" ".join(name.split()) for name in methods.split(",")}
    assert wanted - {f"{verb} {path}" for verb, path, *_ in rows()} == set()


def test_no_cell_is_empty_and_the_sandbox_serves_every_method() -> None:
    for row in rows():
        assert len(row) == 9, row
        assert all(row), row
        assert row[7] == "yes", row


def functions(service: str, kind: str) -> Iterator[Callable[..., Any]]:
    """Public functions of a service that return a ``Call``, a ``Flow`` or ``Pages``."""
    package = importlib.import_module(f"{services.__name__}.{service}")
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        for name, one in vars(module).items():
            own = inspect.isfunction(one) and one.__module__ == module.__name__
            if own and not name.startswith("_") and str(inspect.signature(one).return_annotation).startswith(kind):
                yield one


TOOLS = {
    "esputnik": {"build.request", "build.get", "paging.by_index"},
    "sendpulse": {"common.call", "common.paged"},
}
"""What puts calls together for others."""

NEUTRAL = ("targets", "translate", "translate_broadcasts", "watch_broadcasts", "notices", "exports", "pricing")
"""Modules of flows in neutral words: they call methods of the table, and their tests are those of who uses them."""


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
@pytest.mark.parametrize("kind", ["Call", "Flow", "Pages"])
def test_every_function_is_in_the_table(service: str, kind: str) -> None:
    known: list[Callable[..., Any]] = [one.function for one in (*TABLES[service], *TRANSLATIONS[service])]
    known += [one.function for table in LONGER[service].values() for one in table]
    missing = {
        f"{one.__module__.rpartition('.')[2]}.{one.__name__}"
        for one in functions(service, kind)
        if one not in known and not one.__module__.endswith(NEUTRAL)
    }
    assert missing - TOOLS[service] == set()


@pytest.mark.parametrize("service", ["esputnik", "sendpulse"])
def test_every_docstring_names_the_methods_that_its_function_calls(service: str) -> None:
    for method in TABLES[service]:
        named = re.findall(r"`([A-Z]+) (?:https://[^/]+/)?([^`]+)`", inspect.getdoc(method.function) or "")
        for call in method.calls():
            assert any(
                verb == call.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), call.label)
                for verb, path in named
            ), (method.name, call.name)
