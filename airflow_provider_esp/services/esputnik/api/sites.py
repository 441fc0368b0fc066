"""The account's web sites: their domains, the tracking script, and web push on them.

The vendor's own shop plugins use these methods; which right they need is documented nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, ClassVar

from airflow_provider_esp.core.calls import Call
from airflow_provider_esp.services.esputnik.api._request import get, request
from airflow_provider_esp.services.esputnik.api.models import Model


class SiteDomain(Model, frozen=True, kw_only=True):
    """The domain of a web site."""

    _shown: ClassVar[tuple[str, ...]] = ("domain",)

    domain: str


class WebPushDomain(Model, frozen=True, kw_only=True):
    """A site that web push is set up on.

    :ivar domain: the site's address.
    :ivar service_worker_name: file name of its service worker, ``*.js``.
    :ivar service_worker_path: where the file lies on the site; begins and ends with a slash.
    :ivar service_worker_scope: where it works; usually the same.
    """

    _shown: ClassVar[tuple[str, ...]] = ("domain",)

    domain: str
    service_worker_name: str
    service_worker_path: str
    service_worker_scope: str


class WebPushScript(Model, frozen=True, kw_only=True):
    """What a site needs for web push: the script of its pages, and the text of its service worker."""

    script: str
    service_worker: str = ""


def domains() -> Call[list[SiteDomain]]:
    """List the domains of the account's sites: `GET v1/site/domains`."""
    return get("v1/site/domains", answer=list[SiteDomain])


def domain_add(domain: str) -> Call[None]:
    """Add the domain of a site: `POST v1/site/domains`. One that is there is no error."""
    return request("POST", "v1/site/domains", answer=NoneType, body={"domain": domain}, repeatable=True)


def script() -> Call[str]:
    """Read the tracking script for the sites' pages: `GET v1/site/script`."""
    return get("v1/site/script", answer=str)


def web_push_domains() -> Call[Any]:
    """List the sites that web push is set up on: `GET v1/site/webpush/domains`.

    :returns: JSON whose shape the vendor does not document.
    """
    return get("v1/site/webpush/domains", answer=Any)


def web_push_domains_add(domains: Sequence[WebPushDomain]) -> Call[None]:
    """Set web push up on sites: `POST v1/site/webpush/domains`.

    :raises ValueError: there is no site.
    """
    if not domains:
        raise ValueError("There is no site to set web push up on.")
    body = {"domains": list(domains)}
    return request("POST", "v1/site/webpush/domains", answer=NoneType, body=body, repeatable=True)


def web_push_domain_delete(domain: str) -> Call[None]:
    """Take web push off a site: `DELETE v1/site/webpush/domains`."""
    label = "v1/site/webpush/domains"
    return request("DELETE", label, answer=NoneType, query={"domain": domain}, repeatable=True)


def web_push_script(domain: str) -> Call[WebPushScript]:
    """Read what a site needs for web push: `GET v1/site/webpush/script`."""
    return get("v1/site/webpush/script", answer=WebPushScript, query={"domain": domain})
