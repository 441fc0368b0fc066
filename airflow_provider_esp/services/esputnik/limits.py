"""eSputnik's documented rate limits, as data.

Every method that has no row of its own shares one bucket of 200 requests a second. The vendor does not say
whether the limits hold per account or per key; they are counted per account here, the stricter reading. One
account is known to be held to far less than documented on `GET v1/contacts`: a connection can override any
bucket by its name.

Source: the vendor's pages on rate limits, and for the limits by the hour its specification, which states them
for each method on its own.
"""

from __future__ import annotations

from airflow_provider_esp.core.calls import Bucket

_HOUR = 3600.0

DEFAULT = Bucket("esputnik.default", 200)
"""Everything that is not listed below."""

CONTACTS_SEARCH = Bucket("esputnik.contacts.search", 50)
"""`GET v1/contacts`."""

TOKEN_CONTACT = Bucket("esputnik.token.contact", 150)
"""`GET v1/contact/token/{app_uuid}/{token_id}/contactId`."""

EVENT = Bucket("esputnik.event", 350)
"""`POST v1/event` and `POST v2/event`, which stand in one row: read as one limit."""

PAST_EVENTS = Bucket("esputnik.past_events", 100)
"""`POST v1/past_events` and `POST v2/past_events`: read as one limit."""

PAST_EVENTS_DELETE = Bucket("esputnik.past_events.delete", 5)
"""`DELETE v1/past_events`."""

INTERACTIONS = Bucket("esputnik.interactions", 300)
"""`PUT v1/interactions/{interaction_id}/status`."""

CONTACTS_MESSAGES = Bucket("esputnik.contacts.messages", 10)
"""`GET v2/contacts/messages`."""

EMAIL_TEMPLATE = Bucket("esputnik.templates.email", 10)
"""`GET v1/messages/email/{id}`, by the second."""

EMAIL_TEMPLATE_HOUR = Bucket("esputnik.templates.email.hour", 500, _HOUR)
"""`GET v1/messages/email/{id}`, by the hour: both hold."""

EMAIL_TEMPLATES_HOUR = Bucket("esputnik.templates.email.list.hour", 500, _HOUR)
"""`GET v1/messages/email`, by the hour; by the second it shares the default."""

EMAIL_LINK_HOUR = Bucket("esputnik.templates.email.link.hour", 500, _HOUR)
"""`GET v1/messages/email/{id}/viewLink`, by the hour; by the second it shares the default."""

SMS_TEMPLATE_HOUR = Bucket("esputnik.templates.sms.hour", 500, _HOUR)
"""`GET v1/messages/sms/{id}`, by the hour; by the second it shares the default."""

SMS_TEMPLATES_HOUR = Bucket("esputnik.templates.sms.list.hour", 500, _HOUR)
"""`GET v1/messages/sms`, by the hour; by the second it shares the default."""

BUCKETS = {
    bucket.name: bucket
    for bucket in (
        DEFAULT,
        CONTACTS_SEARCH,
        TOKEN_CONTACT,
        EVENT,
        PAST_EVENTS,
        PAST_EVENTS_DELETE,
        INTERACTIONS,
        CONTACTS_MESSAGES,
        EMAIL_TEMPLATE,
        EMAIL_TEMPLATE_HOUR,
        EMAIL_TEMPLATES_HOUR,
        EMAIL_LINK_HOUR,
        SMS_TEMPLATE_HOUR,
        SMS_TEMPLATES_HOUR,
    )
}
"""All of them by name: what a connection may override."""
