"""eSputnik's methods for the account's web sites: domains, the tracking script, web push."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from .. import responses
from ..responses import Refused
from ..routing import Incoming, Routes
from .schemas import as_list

routes = Routes()

_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}", re.IGNORECASE)


class Domain(msgspec.Struct):
    """The body of ``POST site/domains``."""

    domain: str


class WebPushDomain(msgspec.Struct, rename="camel"):
    """One site of ``POST site/webpush/domains``."""

    domain: str
    service_worker_name: str
    service_worker_path: str
    service_worker_scope: str


class WebPushDomains(msgspec.Struct):
    """The body of ``POST site/webpush/domains``."""

    domains: list[WebPushDomain] | WebPushDomain


@routes("GET", "v1/site/domains")
def domains(incoming: Incoming) -> Response:
    """Return the domains of the account's sites."""
    rows = incoming.store.all("SELECT domain FROM esputnik_sites ORDER BY domain")
    return responses.json([{"domain": row["domain"]} for row in rows])


@routes("POST", "v1/site/domains")
def add_domain(incoming: Incoming) -> Response:
    """Add a domain: 201 for a new one, 200 for one that is there."""
    domain = _host(incoming.decode(Domain).domain)
    return responses.empty(201 if _add(incoming, domain) else 200)


@routes("GET", "v1/site/script")
def script(incoming: Incoming) -> Response:
    """Return the tracking script of the sites' pages, as plain text."""
    return Response("<script>/* sandbox */</script>", media_type="text/plain; charset=UTF-8")


@routes("GET", "v1/site/webpush/domains")
def web_push_domains(incoming: Incoming) -> Response:
    """Return the sites that web push is set up on."""
    rows = incoming.store.all("SELECT push FROM esputnik_sites WHERE push <> '' ORDER BY domain")
    return responses.json({"domains": [msgspec.json.decode(row["push"]) for row in rows]})


@routes("POST", "v1/site/webpush/domains")
def add_web_push_domains(incoming: Incoming) -> Response:
    """Set web push up on sites; whole addresses are taken as well, as the vendor's plugins send them."""
    given = as_list(incoming.decode(WebPushDomains).domains)
    if not given:
        raise Refused(400, "domains should not be empty")
    for one in given:
        host = _host(one.domain)
        if not one.service_worker_name.endswith(".js"):
            raise Refused(400, "serviceWorkerName should end with .js")
        for name, path in (("Path", one.service_worker_path), ("Scope", one.service_worker_scope)):
            if not (path.startswith("/") and path.endswith("/")):
                raise Refused(400, f"serviceWorker{name} should start and end with a slash")
        _add(incoming, host)
        incoming.store.run(
            "UPDATE esputnik_sites SET push = ? WHERE domain = ?", msgspec.json.encode(one).decode(), host
        )
    return responses.json({"domains": given})


@routes("DELETE", "v1/site/webpush/domains")
def delete_web_push_domain(incoming: Incoming) -> Response:
    """Remove web push from a site."""
    row = _with_push(incoming)
    incoming.store.run("UPDATE esputnik_sites SET push = '' WHERE domain = ?", row["domain"])
    return responses.empty()


@routes("GET", "v1/site/webpush/script")
def web_push_script(incoming: Incoming) -> Response:
    """Return what a site needs for web push."""
    _with_push(incoming)
    return responses.json({"script": "<script>/* sandbox */</script>", "serviceWorker": "/* sandbox */"})


def _with_push(incoming: Incoming) -> Any:
    host = _host(incoming.query.get("domain", ""))
    row = incoming.store.one("SELECT * FROM esputnik_sites WHERE domain = ? AND push <> ''", host)
    if row is None:
        raise Refused(404, "Web push domain not found")
    return row


def _add(incoming: Incoming, domain: str) -> bool:
    return bool(incoming.store.change("INSERT OR IGNORE INTO esputnik_sites VALUES (?, '')", domain))


def _host(text: str) -> str:
    """Return the host of a domain or a site's address.

    :raises Refused: 400, it is neither.
    """
    try:
        host = urlsplit(text if "://" in text else f"https://{text}").hostname or ""
    except ValueError:
        host = ""
    if _HOST.fullmatch(host) is None:
        raise Refused(400, "Invalid domain name")
    return host.lower()
