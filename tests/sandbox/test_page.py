"""The page for people: what it shows, that it is safe to look at, and that nothing breaks it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_esp.sandbox import Sandbox


def send(esputnik: httpx.Client, *names: str) -> None:
    recipients: list[dict[str, Any]] = [
        {"locator": f"{name}@example.com", "jsonParam": f'{{"name": "{name}"}}'} for name in names
    ]
    assert esputnik.post("/v1/message/1001/smartsend", json={"recipients": recipients}).status_code == 200


def test_an_empty_sandbox_says_that_there_is_nothing_yet(sandbox: Sandbox, web: httpx.Client) -> None:
    page = web.get("/")
    assert page.status_code == 200
    assert "Nothing yet" in page.text


def test_messages_stand_newest_first_with_their_rendered_subject(
    sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client
) -> None:
    send(esputnik, "anna", "boris")
    page = web.get("/").text
    assert page.index("boris, we have missed you") < page.index("anna, we have missed you")


def test_the_filter_narrows_every_list(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    send(esputnik, "anna", "boris")
    page = web.get("/", params={"q": "boris@"}).text
    assert "boris@example.com" in page
    assert "anna@example.com" not in page


def test_long_lists_come_in_pages(sandbox: Sandbox, web: httpx.Client) -> None:
    sandbox.do("esputnik", "make_contacts", count=60)
    first = web.get("/see/esputnik/contacts")
    assert "1 to 25 of 60" in first.text
    last = web.get("/see/esputnik/contacts", params={"page": 3})
    assert "51 to 60 of 60" in last.text


def test_a_message_is_shown_as_read_with_its_way(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    send(esputnik, "anna")
    sandbox.advance(5)
    number = sandbox.messages()[0]["id"]
    page = web.get(f"/messages/{number}").text
    assert "Hello, anna" in page
    way = page[page.index("History") :]
    assert way.index("IN_QUEUE") < way.index("DELIVERED") < way.index("READ")


def test_what_people_sent_is_never_markup_and_never_loads_anything(
    sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client
) -> None:
    nasty = "<script>alert(1)</script>"
    body = {"from": "a@b.example", "subject": nasty, "htmlText": f'<img src="https://x.example/p.gif">{nasty}'}
    esputnik.post("/v1/message/email", json={**body, "emails": ["a@example.com"]})
    number = sandbox.messages()[0]["id"]
    for path in ("/", f"/messages/{number}", f"/?q={nasty}"):
        page = web.get(f"{path}")
        assert "<script>" not in page.text
        assert '<img src="https' not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_page_refreshes_itself_only_when_asked_to(sandbox: Sandbox, web: httpx.Client) -> None:
    assert 'http-equiv="refresh"' not in web.get("/").text
    assert '<meta http-equiv="refresh" content="5">' in web.get("/", params={"refresh": 5}).text


def test_every_section_has_a_page(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    for service in sandbox.registry.services.values():
        for section in service.sections:
            assert web.get(f"/see/{service.name}/{section.name}").status_code == 200, section.name


@pytest.mark.parametrize(
    "path",
    [
        "/messages/0",
        "/messages/99999999999999999999999",
        "/messages/x",
        "/see/esputnik/nothing",
        "/see/nobody/contacts",
        "/nothing",
    ],
)
def test_what_is_not_there_is_404(sandbox: Sandbox, web: httpx.Client, path: str) -> None:
    assert web.get(f"{path}").status_code == 404


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=99999999", "q=%25_!%27%22", "refresh=x"])
def test_odd_queries_still_give_a_page(sandbox: Sandbox, web: httpx.Client, query: str) -> None:
    for path in ("/", "/messages", "/see/esputnik/contacts"):
        assert web.get(f"{path}?{query}").status_code == 200


def test_whatever_a_template_shows_is_escaped(sandbox: Sandbox, web: httpx.Client, esputnik: httpx.Client) -> None:
    nasty = "\"'><b>&x</b>"
    body = {"from": "a@b.example", "subject": nasty, "htmlText": nasty, "plainText": nasty, "emails": ["a@example.com"]}
    assert esputnik.post("/v1/message/email", json=body).status_code == 200
    number = sandbox.messages()[0]["id"]
    for path in ("/", "/messages", f"/messages/{number}", f"/?q={quote(nasty)}"):
        page = web.get(path).text
        assert "&gt;&lt;b&gt;&amp;x&lt;/b&gt;" in page, path
        assert "<b>&" not in page
