"""Where links lead: to the thing itself, by addresses that somebody else has told us, or nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_esp.links import esp as links
from airflow_provider_esp.links.esp import About, report_page, sandbox_page, service_page

IMPORT = About("import", "a/b c")


def test_a_template_is_filled_in_with_what_the_task_is_about() -> None:
    template = "https://my.example.com/{kind}?id={id}&tab={kind}#{id}"
    assert service_page(template, IMPORT) == "https://my.example.com/import?id=a%2Fb%20c&tab=import#a%2Fb%20c"


def test_other_braces_in_a_template_stay_as_they_are() -> None:
    assert service_page("https://x.example/{account}/{0}/{id}", About("event", "e")) == (
        "https://x.example/{account}/{0}/e"
    )


@pytest.mark.parametrize("template", [None, "", "https://my.example.com/{id}"])
def test_without_a_template_or_the_id_that_it_asks_for_there_is_no_page(template: str | None) -> None:
    assert service_page(template, About("import")) is None


def test_a_template_without_an_id_does_for_a_thing_without_one() -> None:
    assert service_page("https://my.example.com/{kind}s", About("import")) == "https://my.example.com/imports"


@pytest.mark.parametrize(
    ("service", "base_url", "about", "page"),
    [
        ("esputnik", "http://127.0.0.1:8025/esputnik/api", IMPORT, "/see/esputnik/imports?q=a%2Fb+c"),
        ("esputnik", "http://localhost:8025/esputnik/api", About("event"), "/see/esputnik/events"),
        ("sendpulse", "http://127.0.0.1:8025/sendpulse", About("message", "7"), "/messages"),
        ("sendpulse", "http://127.0.0.1:8025/sendpulse", About("something", "7"), "/?q=7"),
    ],
)
def test_the_sandbox_has_a_page_about_each_thing(service: str, base_url: str, about: About, page: str) -> None:
    root = base_url.rsplit("8025", 1)[0] + "8025"
    assert sandbox_page(service, base_url, about) == root + page


@pytest.mark.parametrize(
    ("service", "base_url"),
    [
        ("esputnik", "https://esputnik.com/api"),
        ("esputnik", "https://proxy.example.com/esputnik/api"),
        ("esputnik", "http://127.0.0.1:9000/api"),
        ("sendpulse", "http://127.0.0.1:8025/esputnik/api"),
        ("toy", "http://127.0.0.1:8025/sendpulse"),
    ],
)
def test_what_is_not_a_sandbox_has_no_page_of_it(service: str, base_url: str) -> None:
    assert sandbox_page(service, base_url, IMPORT) is None


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("s3://aws_default@crm/reports/1", "https://s3.console.aws.amazon.com/s3/buckets/crm?prefix=reports%2F1%2F"),
        ("gs://crm/reports/a b/", "https://console.cloud.google.com/storage/browser/crm/reports/a%20b"),
        ("https://user:pw@files.example.com/r/1", "https://files.example.com/r/1"),
        ("/var/reports/1", None),
        ("abfs://crm/reports", None),
        ("", None),
        (None, None),
    ],
)
def test_a_report_has_a_page_where_its_place_has_one(path: str | None, page: str | None) -> None:
    assert report_page(path) == page


def test_a_company_may_say_where_its_reports_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ESP__REPORT_LINK_TEMPLATE", "https://files.example.com/?at={path}")
    assert report_page("/var/reports/1 2") == "https://files.example.com/?at=%2Fvar%2Freports%2F1%202"


class _Broken:
    """A hook whose connection cannot be used."""

    conn_type = "esputnik"

    @property
    def settings(self) -> Any:
        raise LookupError("no such connection\nand a second line")


def test_links_that_cannot_be_found_are_told_in_a_line_and_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    links.push_links({}, _Broken(), IMPORT)  # type: ignore[arg-type]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "airflow_provider_esp.links.esp"]
    assert line == "This task has no links in Airflow's UI: no such connection"


@pytest.mark.parametrize("value", [None, {}, {"report": "x"}, "not a mapping"])
def test_a_task_without_links_has_buttons_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    from airflow.providers.common.compat import sdk

    monkeypatch.setattr(sdk.XCom, "get_value", lambda **_: value)
    assert links.MessageLink().get_link(None, ti_key=None) == ""


def test_a_link_that_cannot_be_read_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat import sdk

    def broken(**_: object) -> object:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(sdk.XCom, "get_value", broken)
    assert links.MessageLink().get_link(None, ti_key=None) == ""
