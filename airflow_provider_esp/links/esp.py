"""Extra links: buttons beside a task in Airflow's UI that lead to the very thing the task is about.

A task finds its links while it runs and leaves them in one XCom (`push_links`), before it defers. Each link class
only reads that XCom: no connection is looked up where a page is drawn, and whatever goes wrong means no button.
No address is made up: the message's page is what the service's API names, the service's own page is what the
connection's ``link_template`` says, and a report without a web address has no button.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_esp.exceptions import headline
from airflow_provider_esp.utils.urls import is_loopback

if TYPE_CHECKING:
    from airflow_provider_esp.hooks.esp import EspHook

XCOM_KEY = "esp_links"
CONFIG_SECTION = "esp"

_log = logging.getLogger(__name__)
_SANDBOX_PATHS = {"esputnik": "/esputnik/api", "sendpulse": "/sendpulse"}
_SANDBOX_PAGES: Mapping[tuple[str, str], str] = {
    ("esputnik", "import"): "/see/esputnik/imports",
    ("esputnik", "event"): "/see/esputnik/events",
    ("esputnik", "broadcast"): "/see/esputnik/broadcasts",
    ("sendpulse", "import"): "/see/sendpulse/contacts",
    ("sendpulse", "event"): "/see/sendpulse/events",
    ("sendpulse", "broadcast"): "/see/sendpulse/campaigns",
    ("esputnik", "message"): "/messages",
    ("sendpulse", "message"): "/messages",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a task is about.

    :param kind: ``message``, ``import``, ``event``, ``broadcast``, or another word that a link template may hold.
    :param id: its id or name at the service; None where it has none (yet).
    """

    kind: str
    id: str | None = None


class EspLink(BaseOperatorLink):
    """One of the addresses that a task left behind."""

    part: ClassVar[str]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address, or "" where there is none.

        :param operator: not used: everything stands in the XCom.
        :param ti_key: whose XCom.
        """
        from airflow.providers.common.compat.sdk import XCom

        try:
            return str(XCom.get_value(ti_key=ti_key, key=XCOM_KEY)[self.part])
        except (KeyError, TypeError):  # the task left no links, or not this one
            return ""
        except Exception:  # noqa: BLE001  # a page must not fail for a button
            _log.debug("The link %r cannot be read", self.part, exc_info=True)
            return ""


class MessageLink(EspLink):
    """Leads to the message itself, as its recipients see it."""

    name = "Message"
    part = "message"


class ReportLink(EspLink):
    """Leads to the folder with the rows that were not accepted."""

    name = "Report"
    part = "report"


class SandboxLink(EspLink):
    """Leads to the sandbox's page, where the connection is the sandbox."""

    name = "Sandbox"
    part = "sandbox"


class ServiceLink(EspLink):
    """Leads to the service's own page, by the connection's ``link_template``."""

    name = "Service"
    part = "service"


ALL = (MessageLink, ReportLink, SandboxLink, ServiceLink)


def push_links(context: Any, hook: EspHook, about: About, report_path: str | None = None) -> None:
    """Find a task's links and leave them for Airflow's UI; to be called before the task defers, once.

    Never raises: a task does its work without buttons as well.

    :param context: the task's context.
    :param hook: of the task's connection.
    :param about: what the task is about.
    :param report_path: where its report is.
    """
    try:
        if found := find_links(hook, about, report_path):
            context["ti"].xcom_push(key=XCOM_KEY, value=found)
    except Exception as error:  # noqa: BLE001  # links are an extra
        _log.warning("This task has no links in Airflow's UI: %s", headline(error))


def find_links(hook: EspHook, about: About, report_path: str | None = None) -> dict[str, str]:
    """Find what links there are.

    :returns: addresses by `EspLink.part`.
    """
    settings = hook.settings
    found = {
        "message": _message_page(hook, about),
        "report": report_page(report_path),
        "sandbox": sandbox_page(hook.conn_type, settings.base_url, about),
        "service": service_page(settings.link_template, about),
    }
    return {part: url for part, url in found.items() if url}


def sandbox_page(service: str, base_url: str, about: About) -> str | None:
    """Return the sandbox's page about something, or None where the address is not a sandbox's.

    :param service: the connection's type.
    :param base_url: of the API.
    """
    path = _SANDBOX_PATHS.get(service)
    if path is None or not base_url.endswith(path) or not is_loopback(base_url):
        return None
    page = base_url.removesuffix(path) + _SANDBOX_PAGES.get((service, about.kind), "/")
    return page if about.id is None or about.kind == "message" else f"{page}?{urlencode({'q': about.id})}"


def service_page(template: str | None, about: About) -> str | None:
    """Fill in a connection's link template: ``{kind}`` and ``{id}``.

    :returns: None without a template, or where it asks for an id and there is none.
    """
    if not template or ("{id}" in template and about.id is None):
        return None
    return template.replace("{kind}", quote(about.kind, safe="")).replace("{id}", quote(about.id or "", safe=""))


def report_page(path: str | None) -> str | None:
    """Return the web address of a report, if it has one.

    Airflow's option ``[esp] report_link_template`` says it for any path, with ``{path}`` (percent-encoded); without it
    there are addresses for the web itself and for the consoles of S3 and Google Cloud Storage.
    """
    from airflow.providers.common.compat.sdk import conf

    if not path:
        return None
    if template := conf.get(CONFIG_SECTION, "report_link_template", fallback=""):
        return str(template).replace("{path}", quote(path, safe=""))
    parts = urlsplit(path)
    place, folder = parts.netloc.rpartition("@")[2], parts.path.strip("/")
    if parts.scheme in ("http", "https"):
        return parts._replace(netloc=place).geturl()
    if parts.scheme == "s3":
        return f"https://s3.console.aws.amazon.com/s3/buckets/{place}?{urlencode({'prefix': f'{folder}/'})}"
    if parts.scheme in ("gs", "gcs"):
        return f"https://console.cloud.google.com/storage/browser/{place}/{quote(folder)}"
    return None


def _message_page(hook: EspHook, about: About) -> str | None:
    from airflow_provider_esp.exceptions import EspError, Unsupported

    if about.kind != "message" or about.id is None:
        return None
    try:
        return hook.run(hook.adapter.message_url(about.id), timeout=5, retries=0)
    except Unsupported:
        return None
    except (EspError, ValueError) as error:
        _log.info("There is no link to the message: %s", headline(error))
        return None
