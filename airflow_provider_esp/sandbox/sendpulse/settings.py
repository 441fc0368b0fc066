"""The settings of the SendPulse side, for what differs between accounts and for what is not documented."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..settings import Setting
from .status_codes import CAMPAIGN

USER_ID = 7043663
"""The number of the sandbox's account, part of its event URLs."""

ORGANISATION = "Sandbox Organisation"
OWNER = "owner@sandbox.example"
CURRENCY = "USD"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _are_statuses(kept: dict[str, Any]) -> bool:
    return all(name == "*" or name.isdigit() for name in kept) and all(status in CAMPAIGN for status in kept.values())


SETTINGS = {
    "sendpulse.clients": Setting({"sandbox-id": "sandbox-secret"}, "client ids and their secrets"),
    "sendpulse.api_keys": Setting(["sandbox-apikey"], "static API keys, which never expire"),
    "sendpulse.token_seconds": Setting(3600, "how long a token lives, in seconds"),
    "sendpulse.one_token": Setting(False, "whether a new token ends the life of the older ones"),
    "sendpulse.unauthorised": Setting(False, "whether every credential is refused with 401, even a fresh token"),
    "sendpulse.retry_after": Setting(False, "whether a 429 says in Retry-After when to come back"),
    "sendpulse.time_zone": Setting("Europe/Kyiv", "the time zone in which the account's dates are written", _is_zone),
    "sendpulse.balance": Setting(100.0, "the account's money in its own currency"),
    "sendpulse.campaigns_free": Setting(1_000_000, "e-mails of a campaign that cost nothing beyond the plan"),
    "sendpulse.smtp_left": Setting(
        None,
        "e-mails that the plan for SMTP has left; null: it does not say",
        lambda left: left is None or (isinstance(left, int) and not isinstance(left, bool)),
    ),
    "sendpulse.events": Setting(
        None,
        "names and hashes of the events there are: a list; null: every one exists",
        lambda names: names is None or isinstance(names, list),
    ),
    "sendpulse.json_strings": Setting(
        True, "whether lists and objects may come as strings of JSON (or PHP) inside JSON"
    ),
    "sendpulse.verify_seconds": Setting(2.0, "how long the verification of a book or an address takes, in seconds"),
    "sendpulse.html_500": Setting(True, "whether wrong nesting breaks the service (HTML, 500) or is refused (422)"),
    "sendpulse.smtp_pending": Setting(
        "null",
        "an SMTP message without an answer yet: smtp_answer_code 'null' or 'zero', or it is 'absent' (400)",
        lambda word: word in ("null", "zero", "absent"),
    ),
    "sendpulse.smtp_no_recipient": Setting(False, "whether records of SMTP messages say no recipient: null"),
    "sendpulse.string_codes": Setting(False, "whether smtp_answer_code is written as a string"),
    "sendpulse.campaign_status": Setting(
        {}, 'campaigns kept in a status: {"1000001": 5}, or {"*": 5} for all', _are_statuses
    ),
    "sendpulse.list_delay": Setting(0.0, "seconds until a new campaign or SMTP message appears in lists"),
    "sendpulse.hidden": Setting([], 'ids of campaigns and SMTP messages that lists leave out; ["*"] for all campaigns'),
    "sendpulse.sms_in_array": Setting(False, "whether answers about SMS contacts come as an array of one"),
    "sendpulse.cyrillic_country_code": Setting(False, "whether SMS details spell country_code with a Cyrillic letter"),
}
