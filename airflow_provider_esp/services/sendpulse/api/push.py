"""Web push: campaigns to a site's subscribers, the sites, and their subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.sendpulse.api._request import Done, Total, call, given, paged
from airflow_provider_esp.services.sendpulse.limits import ACCOUNT
from airflow_provider_esp.services.sendpulse.limits import push as push_bucket

_LONGEST_TTL = 86400


class NewPush(msgspec.Struct, frozen=True):
    """A push campaign to create.

    :ivar ttl: seconds that browsers are tried for, up to 86400; 0 is what the vendor's own clients send, and
        leaves it to the service.
    :ivar filters: the vendor's ``filter_…`` fields and ``filter``, by name, spelled as the vendor wants them.
    :ivar stretch_time: hours over which the sending is spread.
    :ivar send_date: ``Y-m-d H:i:s`` in the account's time zone; None for at once.
    :ivar buttons: JSON, as a string; so are `image` and `icon` (name and Base64 data).
    """

    title: str
    website_id: int
    body: str
    ttl: int = _LONGEST_TTL
    link: str | None = None
    filters: Mapping[str, Any] = {}
    stretch_time: int | None = None
    send_date: str | None = None
    buttons: str | None = None
    image: str | None = None
    icon: str | None = None


class PushMade(Done, frozen=True):
    """The new campaign's id."""

    id: int


class PushTask(msgspec.Struct, frozen=True):
    """A push campaign in a list; the vendor does not document its status codes."""

    id: int
    title: str = ""
    body: str = ""
    website_id: int | None = None
    date_from: str = msgspec.field(name="from", default="")
    date_to: str = msgspec.field(name="to", default="")
    status: int | None = None


class PushStats(msgspec.Struct, frozen=True):
    """A push campaign's figures; `redirect` counts clicks."""

    id: int
    message: dict[str, Any] = {}
    website: str = ""
    website_id: int | None = None
    status: int | None = None
    send: int = 0
    delivered: int = 0
    redirect: int = 0


class Website(msgspec.Struct, frozen=True):
    """A site."""

    id: int
    url: str = ""
    add_date: str = ""
    status: int | None = None


class WebsiteInfo(msgspec.Struct, frozen=True):
    """A site and its audience; the last four are not in the vendor's specification, but were recorded."""

    id: int
    url: str = ""
    status: str = ""
    total_subscribers: int = 0
    active_subscribers: int = 0
    icon: str = ""
    add_date: str = ""
    unsubscribed: int | None = None
    subscribers_today: int | None = None


class WebsiteVariable(msgspec.Struct, frozen=True):
    """A variable that a site's subscribers have."""

    id: int
    name: str = ""
    type: str = ""


class WebsiteCode(msgspec.Struct, frozen=True):
    """What a site's pages must load."""

    script_url: str = ""
    script_code: str = ""


def send(campaign: NewPush) -> Call[PushMade]:
    """Create a push campaign: `POST push/tasks`. One per site in 15 minutes; never repeatable.

    :raises ValueError: the time to live is out of bounds.
    """
    if not 0 <= campaign.ttl <= _LONGEST_TTL:
        raise ValueError(f"A push campaign's ttl is from 0 to {_LONGEST_TTL} seconds, not {campaign.ttl}.")
    body = given(
        title=campaign.title,
        website_id=campaign.website_id,
        body=campaign.body,
        ttl=campaign.ttl,
        link=campaign.link,
        stretch_time=campaign.stretch_time,
        send_date=campaign.send_date,
        buttons=campaign.buttons,
        image=campaign.image,
        icon=campaign.icon,
        **campaign.filters,
    )
    return call("POST", "push/tasks", PushMade, body=body, buckets=(*ACCOUNT, push_bucket(campaign.website_id)))


def tasks(
    limit: int = 100,
    offset: int = 0,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
    website_id: int | None = None,
) -> Call[list[PushTask]]:
    """Read a page of push campaigns: `GET push/tasks`."""
    query = {"limit": limit, "offset": offset, "from": date_from, "to": date_to, "website_id": website_id}
    return call("GET", "push/tasks", list[PushTask], query=query)


def all_tasks(
    *, date_from: str | None = None, date_to: str | None = None, website_id: int | None = None
) -> Pages[PushTask]:
    """Read every push campaign: `GET push/tasks`, page by page."""
    return paged(
        lambda limit, offset: tasks(limit, offset, date_from=date_from, date_to=date_to, website_id=website_id)
    )


def task(task_id: int) -> Call[PushStats]:
    """Read a push campaign's figures: `GET push/tasks/{id}`."""
    return call("GET", "push/tasks/{id}", PushStats, task_id)


def websites(limit: int = 100, offset: int = 0) -> Call[list[Website]]:
    """Read a page of sites: `GET push/websites`."""
    return call("GET", "push/websites", list[Website], query={"limit": limit, "offset": offset})


def all_websites() -> Pages[Website]:
    """Read every site: `GET push/websites`, page by page."""
    return paged(websites)


def websites_total() -> Call[Total]:
    """Count the sites: `GET push/websites/total`."""
    return call("GET", "push/websites/total", Total)


def website(website_id: int) -> Call[WebsiteInfo]:
    """Read a site and its audience: `GET push/websites/info/{id}`."""
    return call("GET", "push/websites/info/{id}", WebsiteInfo, website_id)


def website_variables(website_id: int) -> Call[list[WebsiteVariable]]:
    """List the variables that a site's subscribers have: `GET push/websites/{id}/variables`."""
    return call("GET", "push/websites/{id}/variables", list[WebsiteVariable], website_id)


def website_code(website_id: int) -> Call[WebsiteCode]:
    """Read what a site's pages must load: `GET push/websites/{id}/code`."""
    return call("GET", "push/websites/{id}/code", WebsiteCode, website_id)


def subscriptions(
    website_id: int,
    limit: int = 100,
    offset: int = 0,
    *,
    date_from: str | None = None,
    date_to: str | None = None,
) -> Call[list[dict[str, Any]]]:
    """Read a page of a site's subscribers: `GET push/websites/{id}/subscriptions`.

    The vendor does not document their fields.

    :param date_from: ``YYYY-MM-DD`` of the subscription.
    """
    query = {
        "limit": limit,
        "offset": offset,
        "subscription_date_from": date_from,
        "subscription_date_to": date_to,
    }
    return call("GET", "push/websites/{id}/subscriptions", list[dict[str, Any]], website_id, query=query)


def all_subscriptions(
    website_id: int, *, date_from: str | None = None, date_to: str | None = None
) -> Pages[dict[str, Any]]:
    """Read every subscriber of a site: `GET push/websites/{id}/subscriptions`, page by page."""
    return paged(lambda limit, offset: subscriptions(website_id, limit, offset, date_from=date_from, date_to=date_to))


def subscriptions_total(website_id: int) -> Call[Total]:
    """Count a site's subscribers: `GET push/websites/{id}/subscriptions/total`."""
    return call("GET", "push/websites/{id}/subscriptions/total", Total, website_id)


def subscription_set(subscription_id: int, *, active: bool) -> Call[Done]:
    """Switch a subscriber on or off: `POST push/subscriptions/state`."""
    body = {"id": subscription_id, "state": int(active)}
    return call("POST", "push/subscriptions/state", Done, body=body, repeatable=True)
