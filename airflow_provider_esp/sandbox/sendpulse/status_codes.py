"""The vendor's numbers with their words: states of books, contacts, campaigns and of one recipient's message."""

from __future__ import annotations

BOOK = {
    0: "Active",
    1: "Deleted",
    3: "Awaiting clarification",
    4: "Blocked by service",
    5: "Temporarily blocked",
}

CONTACT = {
    0: "New",
    1: "Active",
    2: "Confirmation requested",
    3: "Activation requested",
    4: "Unsubscribed",
    5: "Rejected by admin",
    6: "Unsubscribed from all",
    7: "Activation e-mail sent",
    8: "Blocked by user",
    9: "Sending error",
    10: "Blocked by host",
    11: "Blocked by sender name",
    12: "Blocked by address part",
    13: "Deleted by user",
    14: "Temporarily unavailable",
}

CAMPAIGN = {
    0: "New",
    1: "Pending moderation",
    2: "Sending",
    3: "Sent",
    4: "Test (to owner)",
    5: "Blocked by service",
    6: "Marked for deletion",
    7: "Status updating",
    8: "Test sent",
    9: "Delivery in progress",
    10: "Being processed for sending",
    11: "Awaiting user's reply to moderator",
    12: "No active addresses",
    13: "Creating",
    14: "Created, queued",
    15: "Awaiting A/B result",
    16: "Cancelled by user",
    22: "Sending partially",
    23: "Sent partially",
    25: "Partially sent and blocked",
    26: "Draft",
    27: "Requires editing",
    28: "Scheduled resend to unread",
    33: "Automation, balance exceeded",
    36: "Automation draft",
}

RECIPIENT = {
    0: "In queue",
    1: "Sent",
    2: "Delivered",
    3: "Opened",
    4: "Link redirected",
    5: "User unsubscribed",
    6: "No such e-mail",
    7: "Temporarily unavailable",
    8: "Unavailable",
    9: "Rejected as spam",
    10: "Mailbox full",
    11: "Marked as spam",
    12: "Delivery failure",
    16: "Invalid e-mail",
    17: "Temporarily blocked",
    18: "Disabled by admin",
    20: "Already unsubscribed",
}

RECIPIENT_CODE = {explain: code for code, explain in RECIPIENT.items()}

FAILED = frozenset({6, 7, 8, 9, 10, 12, 16, 17, 18, 20})
"""States of a recipient whose message did not arrive."""

SMS = {0: "In queue", 1: "Sent", 2: "Delivered", 12: "Not delivered"}

SMS_SENDER = {0: "Moderation", 1: "Active", 2: "Rejected"}
