"""Message templates: e-mails and text messages that are kept in the account.

They belong to the general methods, which need no right. Reading them is limited by the hour.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType, field

from airflow_provider_esp.core.calls import Call, Pages
from airflow_provider_esp.services.esputnik import limits
from airflow_provider_esp.services.esputnik.api._request import get, request
from airflow_provider_esp.services.esputnik.api.models import Model
from airflow_provider_esp.services.esputnik.api.paging import MOST_ROWS, by_index


class EmailContent(Model, frozen=True, kw_only=True):
    """An e-mail template as it is written; what is unset is left out.

    :ivar sender: one of the account's senders, ``"Name" <address>``.
    :ivar tags: to find it by.
    :ivar subscriptions_keys: subscription categories it belongs to.
    """

    _shown: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    sender: str = field(name="from")
    subject: str
    html_text: str
    css: str | UnsetType = UNSET
    raw_html: str | UnsetType = UNSET
    amp_html: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    subscriptions_keys: list[str] | UnsetType = UNSET
    language_code: str | UnsetType = UNSET


class EmailVersion(Model, frozen=True, kw_only=True):
    """An e-mail template in one language, as it is read; rows of a list may lack what is long."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "name", "language_code")

    id: int | None = None
    name: str = ""
    language_code: str | None = None
    tags: list[str] = field(default_factory=list)
    subscriptions_keys: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    sender: str | None = field(name="from", default=None)
    subject: str | None = None
    html_text: str | None = None
    raw_html: str | None = None
    amp_html: str | None = None
    css: str | None = None


class EmailTemplate(EmailVersion, frozen=True, kw_only=True):
    """An e-mail template with its translations."""

    translations: list[EmailVersion] = field(default_factory=list)


class SmsVersion(Model, frozen=True, kw_only=True):
    """A text message template in one language."""

    _shown: ClassVar[tuple[str, ...]] = ("id", "name", "language_code")

    id: int | None = None
    name: str = ""
    language_code: str | None = None
    tags: list[str] = field(default_factory=list)
    subscriptions_keys: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    sender: str | None = field(name="from", default=None)
    text: str | None = None
    track_urls: bool = False


class SmsTemplate(SmsVersion, frozen=True, kw_only=True):
    """A text message template with its translations."""

    translations: list[SmsVersion] = field(default_factory=list)


class TemplateId(Model, frozen=True, kw_only=True):
    """The template that was made."""

    _shown: ClassVar[tuple[str, ...]] = ("id",)

    id: int


class ViewLink(Model, frozen=True, kw_only=True):
    """Where a template can be looked at."""

    link: str


def add_email(content: EmailContent) -> Call[TemplateId]:
    """Make an e-mail template: `POST v1/messages/email`. Sent twice it makes two."""
    return request("POST", "v1/messages/email", answer=TemplateId, body=content, repeatable=False)


def emails(search: str | None = None, start_index: int = 1, max_rows: int = MOST_ROWS) -> Call[list[EmailTemplate]]:
    """Read a page of the account's e-mail templates: `GET v1/messages/email`.

    :param search: part of a name, or a tag.
    :param start_index: index of the first row; the first of all is 1.
    :param max_rows: most rows to answer, 500 at most.
    """
    buckets = (limits.DEFAULT, limits.EMAIL_TEMPLATES_HOUR)
    query = _page(search, start_index, max_rows)
    return get("v1/messages/email", answer=list[EmailTemplate], query=query, buckets=buckets)


def email_pages(search: str | None = None) -> Pages[EmailTemplate]:
    """Read all e-mail templates, page by page. Arguments as in `emails`."""
    return by_index(lambda index: emails(search, index), MOST_ROWS)


def email(message_id: int) -> Call[EmailTemplate]:
    """Read an e-mail template with its translations: `GET v1/messages/email/{id}`."""
    buckets = (limits.EMAIL_TEMPLATE, limits.EMAIL_TEMPLATE_HOUR)
    return get("v1/messages/email/{id}", message_id, answer=EmailTemplate, buckets=buckets)


def update_email(message_id: int, content: EmailContent) -> Call[str]:
    """Replace an e-mail template: `PUT v1/messages/email/{id}`."""
    return request("PUT", "v1/messages/email/{id}", message_id, answer=str, body=content, repeatable=True)


def delete_email(message_id: int) -> Call[str]:
    """Delete an e-mail template: `DELETE v1/messages/email/{id}`."""
    return request("DELETE", "v1/messages/email/{id}", message_id, answer=str, repeatable=True)


def put_email_translation(message_id: int, language: str, content: EmailContent) -> Call[str]:
    """Add or replace a translation of an e-mail template: `PUT v1/messages/email/{id}/{language}`.

    :param language: ISO 639-1 code, e.g. ``uk``.
    """
    label = "v1/messages/email/{id}/{language}"
    return request("PUT", label, message_id, language, answer=str, body=content, repeatable=True)


def delete_email_translation(message_id: int, language: str) -> Call[str]:
    """Delete a translation of an e-mail template: `DELETE v1/messages/email/{id}/{language}`."""
    return request("DELETE", "v1/messages/email/{id}/{language}", message_id, language, answer=str, repeatable=True)


def email_link(message_id: int | str) -> Call[ViewLink]:
    """Ask where an e-mail template can be looked at: `GET v1/messages/email/{id}/viewLink`."""
    buckets = (limits.DEFAULT, limits.EMAIL_LINK_HOUR)
    return get("v1/messages/email/{id}/viewLink", message_id, answer=ViewLink, buckets=buckets)


def text_messages(
    search: str | None = None, start_index: int = 1, max_rows: int = MOST_ROWS
) -> Call[list[SmsTemplate]]:
    """Read a page of the account's text message templates: `GET v1/messages/sms`. Arguments as in `emails`."""
    buckets = (limits.DEFAULT, limits.SMS_TEMPLATES_HOUR)
    query = _page(search, start_index, max_rows)
    return get("v1/messages/sms", answer=list[SmsTemplate], query=query, buckets=buckets)


def text_message_pages(search: str | None = None) -> Pages[SmsTemplate]:
    """Read all text message templates, page by page. Arguments as in `emails`."""
    return by_index(lambda index: text_messages(search, index), MOST_ROWS)


def text_message(message_id: int) -> Call[SmsTemplate]:
    """Read a text message template with its translations: `GET v1/messages/sms/{id}`."""
    buckets = (limits.DEFAULT, limits.SMS_TEMPLATE_HOUR)
    return get("v1/messages/sms/{id}", message_id, answer=SmsTemplate, buckets=buckets)


def _page(search: str | None, start_index: int, max_rows: int) -> dict[str, str | int | None]:
    return {"search": search, "startindex": start_index, "maxrows": max_rows}
