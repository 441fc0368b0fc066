"""The account itself: tokens, user, balance, senders, templates and the blacklist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import msgspec

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.sendpulse.api._request import Done, Quiet, base64_text, call, flag, given, paged

Owner = Literal["me", "sendpulse"]


class AccessToken(Quiet, frozen=True):
    """A bearer token.

    :ivar expires_in: seconds it is good for; 3600 as documented.
    """

    access_token: str
    expires_in: int
    token_type: str


class User(Quiet, frozen=True):
    """Who the credential belongs to.

    :ivar time_zone: the zone that every date of the account is in.
    """

    id: int
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    name: str = ""
    phone: str = ""
    phone_confirm: bool = False
    avatar: str = ""
    city: str = ""
    country: str = ""
    currency: str = ""
    lang: str = ""
    locale: str = ""
    time_zone: str = ""


class Balance(msgspec.Struct, frozen=True):
    """Money left, in `currency`."""

    currency: str
    balance_currency: float


class Money(msgspec.Struct, frozen=True):
    """The purse of `balance_detail`, in `currency` (sometimes by its older code, e.g. ``RUR``)."""

    main: float = 0.0
    bonus: float = 0.0
    currency: str = ""


class EmailPlan(msgspec.Struct, frozen=True):
    """The plan for campaigns; None where the plan has no such limit."""

    tariff_name: str = ""
    finished_time: str = ""
    emails_left: int | None = None
    maximum_subscribers: int | None = None
    current_subscribers: int | None = None


class Plan(msgspec.Struct, frozen=True):
    """The plan for SMTP or web push; the quantities are SMTP's."""

    tariff_name: str = ""
    end_date: str = ""
    auto_renew: bool = False
    email_qty: int | None = None
    email_qty_left: int | None = None


class BalanceDetail(msgspec.Struct, frozen=True):
    """Money and plans of every service."""

    balance: Money
    email: EmailPlan = EmailPlan()
    smtp: Plan = Plan()
    push: Plan = Plan()


class Sender(Quiet, frozen=True):
    """An address that mail may be sent from.

    :ivar status: ``Active`` or ``Requested activation``.
    """

    email: str
    name: str = ""
    status: str = ""
    is_allowed_for_smtp: bool = False


class SenderActivated(Quiet, frozen=True):
    """The answer to a sender's code."""

    result: bool
    email: str = ""


class Template(msgspec.Struct, frozen=True):
    """A template.

    :ivar id: a hash or digits, which is what `smtp.send` takes.
    :ivar real_id: its number, which is what `template_edit` takes.
    :ivar body: Base64.
    """

    id: str
    real_id: int | None = None
    name: str = ""
    name_slug: str = ""
    lang: str = ""
    created: str = ""
    full_description: str = ""
    is_structure: bool = False
    category: str = ""
    category_info: dict[str, object] = {}
    tags: dict[str, object] = {}
    owner: str = ""
    preview: str = ""
    body: str = ""


class TemplateMade(msgspec.Struct, frozen=True):
    """The new template's number."""

    result: bool
    real_id: int


def access_token(client_id: str, client_secret: str) -> Call[AccessToken]:
    """Exchange the connection's credential for a token: `POST oauth/access_token`."""
    body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    # One token more does no harm, so a lost answer may be asked for again.
    return replace(call("POST", "oauth/access_token", AccessToken, body=body, repeatable=True), authorised=False)


def user_info() -> Call[User]:
    """Read whom the credential belongs to, the cheapest test of a connection: `GET user/info`."""
    return call("GET", "user/info", User)


def balance(currency: str | None = None) -> Call[Balance]:
    """Read the balance, in the account's own currency or another: `GET balance`, `GET balance/{currency}`.

    :param currency: ISO code, e.g. ``USD``.
    """
    if currency is None:
        return call("GET", "balance", Balance)
    return call("GET", "balance/{currency}", Balance, currency)


def balance_detail() -> Call[BalanceDetail]:
    """Read money and plans of every service: `GET user/balance/detail`."""
    return call("GET", "user/balance/detail", BalanceDetail)


def senders() -> Call[list[Sender]]:
    """List the addresses that mail may be sent from: `GET senders`."""
    return call("GET", "senders", list[Sender])


def sender_add(email: str, name: str) -> Call[Done]:
    """Register a sender, which mails its activation code: `POST senders`."""
    return call("POST", "senders", Done, body={"email": email, "name": name})


def sender_delete(email: str) -> Call[Done]:
    """Remove a sender: `DELETE senders`."""
    return call("DELETE", "senders", Done, body={"email": email})


def sender_code(email: str) -> Call[Done]:
    """Mail a sender its activation code, at most every 15 minutes: `GET senders/{email}/code`."""
    # A GET by its verb only: each one sends a message.
    return call("GET", "senders/{email}/code", Done, email, repeatable=False)


def sender_activate(email: str, code: str) -> Call[SenderActivated]:
    """Activate a sender with the code it got: `POST senders/{email}/code`."""
    return call("POST", "senders/{email}/code", SenderActivated, email, body={"code": code})


def template_create(html: str, *, name: str | None = None, lang: str | None = None) -> Call[TemplateMade]:
    """Make a template: `POST template`.

    :param html: plain; it is Base64-encoded here.
    :param lang: ``en``, ``ru``, ``ua``, ``tr``, ``es`` or ``pt``.
    """
    return call("POST", "template", TemplateMade, body=given(body=base64_text(html), name=name, lang=lang))


def template_edit(real_id: int, html: str, *, lang: str | None = None) -> Call[Done]:
    """Replace a template's body: `POST template/edit/{id}`.

    :param html: plain; it is Base64-encoded here.
    """
    body = given(body=base64_text(html), lang=lang)
    return call("POST", "template/edit/{id}", Done, real_id, body=body, repeatable=True)


def template(template_id: str | int, *, owner: Owner = "me", lang: str | None = None) -> Call[Template]:
    """Read a template: `GET template/{template_id}`."""
    return call("GET", "template/{template_id}", Template, template_id, query={"owner": owner, "lang": lang})


def template_by_slug(slug: str, *, owner: Owner = "me", lang: str | None = None) -> Call[Template]:
    """Read a template by its name's slug: `GET template/slug/{name_slug}`."""
    return call("GET", "template/slug/{name_slug}", Template, slug, query={"owner": owner, "lang": lang})


def templates(
    limit: int = 100, offset: int = 0, *, owner: Owner = "me", only_active: bool | None = None
) -> Call[list[Template]]:
    """Read a page of templates: `GET templates`.

    :param limit: from 1 to 100.
    :param owner: ``me`` for the account's own (the vendor's own default is its gallery, ``sendpulse``).
    """
    query = {"limit": limit, "offset": offset, "owner": owner, "only_active": flag(only_active)}
    return call("GET", "templates", list[Template], query=query)


def templates_in(
    lang: str, limit: int = 100, offset: int = 0, *, owner: Owner = "me", only_active: bool | None = None
) -> Call[list[Template]]:
    """Read a page of templates in one language: `GET templates/{lang}`, known from clients alone.

    :param lang: ``en``, ``ru``, ``ua``, ``tr``, ``es`` or ``pt``.

    Other arguments as in `templates`.
    """
    query = {"limit": limit, "offset": offset, "owner": owner, "only_active": flag(only_active)}
    return call("GET", "templates/{lang}", list[Template], lang, query=query)


def all_templates(*, owner: Owner = "me", only_active: bool | None = None) -> Pages[Template]:
    """Read every template: `GET templates`, page by page."""
    return paged(lambda limit, offset: templates(limit, offset, owner=owner, only_active=only_active))


def blacklist() -> Call[list[str]]:
    """List the addresses that never get mail: `GET blacklist`."""
    return call("GET", "blacklist", list[str])


def blacklist_add(emails: Sequence[str], *, comment: str | None = None) -> Call[Done]:
    """Put addresses on the blacklist: `POST blacklist`."""
    body = given(emails=_blacklisted(emails), comment=comment)
    return call("POST", "blacklist", Done, body=body, repeatable=True)


def blacklist_remove(emails: Sequence[str]) -> Call[Done]:
    """Take addresses off the blacklist: `DELETE blacklist`."""
    return call("DELETE", "blacklist", Done, body={"emails": _blacklisted(emails)})


def _blacklisted(emails: Sequence[str]) -> str:
    if not emails:
        raise ValueError("The blacklist needs at least one address.")
    return base64_text(",".join(emails))
