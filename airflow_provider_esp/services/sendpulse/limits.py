"""SendPulse's documented limits as data: rate buckets, and how much one request may hold.

The vendor names a hard ceiling of ten requests a second and a quota a minute that depends on the plan; a
connection's extra overrides a bucket by its name. The quota a day (500,000 requests on the free plan) is no
bucket: pacing by it would mean sleeping for hours, so the service's own refusal reports it.
"""

from __future__ import annotations

from airflow_provider_esp.core.calls import Bucket

SECOND = Bucket("sendpulse.second", 10, 1)
"""The ceiling for every account and plan."""

MINUTE = Bucket("sendpulse.minute", 1000, 60)
"""The free plan's quota; paid plans have 2000, the largest 3000."""

ACCOUNT = (SECOND, MINUTE)
"""What every authorised request counts against."""

EVENTS = Bucket("sendpulse.events", 10, 1)
"""Our choice: the vendor documents no rate for its event host, so it is treated like the API's."""

CAMPAIGNS = Bucket("sendpulse.campaigns", 4, 3600)
"""At most four campaigns an hour can be created through the API."""

RESUBSCRIBE = Bucket("sendpulse.resubscribe", 5, 86400)
"""At most five SMTP recipients a day can be subscribed again."""


def push(website_id: int) -> Bucket:
    """One web push campaign per site in fifteen minutes."""
    return Bucket(f"sendpulse.push.{website_id}", 1, 900)


PAGE = 100
"""The most rows that a list hands out at once."""

EMAILS_CHANGED = 100
"""The most addresses in one request that deletes them from a book or unsubscribes them."""

SMTP_RECORDS = 500
"""The most ids in one `POST smtp/emails/info`."""

BOOK_UPLOAD = 100
"""Our choice of contacts in one upload to a book: the vendor documents no limit for it."""
