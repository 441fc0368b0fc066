"""Which fields of an answer are decoded strictly: the one place where this is decided.

A field without a default is needed: an answer without it, or with something else in its place, is refused. A field
whose default says "unknown" (None, "", an object of such) describes; a value that its model does not expect reads as
that default, with a warning in the log, and the rest of the answer is kept. A field whose default would be a statement
(0, no, an empty list or table) is strict: "nobody has unsubscribed" must not be what an unreadable list says.

`DECIDES` and `DESCRIBES` are the exceptions. A field is named alone, for every model that has it, or with its model.
"""

from __future__ import annotations

OUTCOMES = frozenset(
    {
        "status",
        "activityStatus",
        "emailStatus",
        "task_status",
        "global_status",
        "detail_status",
        "smtp_answer_code",
        "hardBounce",
        "errorMessage",
    }
)
"""What became of a message, a person or a task. Not even PHP's ``false`` or ``""`` stands for "unknown" here."""

DECIDES = OUTCOMES | {
    # who it is about: an unreadable address must not drop somebody from a list of those to be left out
    "contactId",
    "externalCustomerId",
    "Activity.email",
    "Activity.sms",
    "Activity.webPushToken",
    "Activity.mobPushToken",
    "Activity.statusData",
    "StatusData.subscription",
    "ContactMessage.email",
    "ContactMessage.phone",
    "ContactEmail.email",
    "Channel.type",
    "Channel.value",
    "FailedContact.id",
    "FailedContact.contactKey",
    "FailedOrder.order",
    "FailedOrderKey.externalOrderId",
    "Blacklisted.phone",
    "BookEmail.phone",
    "BookEmail.variables",
    "BookEmailDetail.phone",
    "Email.recipient",
    # what the next step is taken by: an import's session, a message's id, a cursor, the mark that a message is found by
    "asyncSessionId",
    "importId",
    "mapping",
    "requestId",
    "externalRequestId",
    "offset",
    "activityDateTime",
    "broadcastId",
    "messageId",
    "messageTag",
    "campaign_id",
    "time_zone",
    "Campaign.name",
    "Campaign.message",
    "Campaign.send_date",
    "CampaignStatus.name",
    "Message.subject",
    "Message.list_id",
    "Broadcast.title",
    "Broadcast.startDate",
    "Email.subject",
    "Email.sender",
    "Email.send_date",
    "Segment.name",
    "SubscriptionCategory.key",
    "ContactSubscription.key",
    "NumberAnswer.data",
    "statistics",
}
"""Strict, though their default says "unknown": something is decided by them."""

DESCRIBES = frozenset(
    {
        "overdraft_price",
        "overdraftAllEmailsPrice",
        "company_price",
        "money_spent",
        "balance",
        "bonus",
        "creditLimit",
        "bonusEmails",
        "bonusSmses",
        "tariff_email_qty",
        "paid_email_qty",
        "CampaignMade.count",
        "is_structure",
        "category_info",
        "Template.tags",
        "external_stat",
        "sendersReservedBalances",
        "PushStats.message",
        "phone_confirm",
        "auto_renew",
        "is_default",
        "trackUrls",
        "link",
        "client_info",
    }
)
"""Lenient, though their default is a statement: nothing is decided by prices, badges and the like."""


def decides(model: str, field: str) -> bool:
    """Check whether a field is one of `DECIDES`."""
    return field in DECIDES or f"{model}.{field}" in DECIDES


def describes(model: str, field: str) -> bool:
    """Check whether a field is one of `DESCRIBES`."""
    return field in DESCRIBES or f"{model}.{field}" in DESCRIBES
