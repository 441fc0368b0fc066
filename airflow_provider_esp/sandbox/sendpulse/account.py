"""SendPulse's methods about the account: whose it is, its balance and its plans."""

from __future__ import annotations

from starlette.responses import Response

from .. import responses
from ..routing import Incoming, Routes
from . import datetimes
from .errors import invalid
from .settings import CURRENCY, ORGANISATION, OWNER, USER_ID

routes = Routes()

_CURRENCIES = {"USD": 100.0, "EUR": 92.0, "GBP": 79.0, "UAH": 4150.0, "RUR": 9200.0, "INR": 8400.0, "JPY": 15000.0}
"""The sandbox's balance in every currency that the vendor's client names."""

_EMAILS = 1_000_000
_MONTH = 30 * 86400


@routes("GET", "user/info")
def info(incoming: Incoming) -> Response:
    """Return whose account it is, and the time zone of its dates."""
    return responses.json(
        {
            "id": USER_ID,
            "email": OWNER,
            "first_name": "Sandbox",
            "last_name": "Organisation",
            "name": ORGANISATION,
            "phone": "380440000000",
            "phone_confirm": True,
            "avatar": "",
            "city": "",
            "country": "UA",
            "currency": CURRENCY,
            "lang": "en",
            "locale": "en_US",
            "time_zone": incoming.state.settings["sendpulse.time_zone"],
        }
    )


@routes("GET", "balance", "balance/{currency}")
def balance(incoming: Incoming) -> Response:
    """Return the balance, in the account's currency or another."""
    currency = incoming.params.get("currency", CURRENCY).upper().replace("RUB", "RUR")  # answered by its older code
    if currency not in _CURRENCIES:
        raise invalid("Argument currency is invalid")
    money = incoming.state.settings["sendpulse.balance"] / _CURRENCIES[CURRENCY] * _CURRENCIES[currency]
    return responses.json({"currency": currency, "balance_currency": round(money, 2)})


@routes("GET", "user/balance/detail")
def detail(incoming: Incoming) -> Response:
    """Return money and the plans of all services."""
    state = incoming.state
    end = datetimes.stamp(state, incoming.now + _MONTH)
    contacts = incoming.store.value("SELECT count(DISTINCT email) FROM sendpulse_contacts")
    sent = state.outbox.count(service="sendpulse")
    smtp = {"tariff_name": "SMTP Sandbox", "end_date": end, "auto_renew": 1}
    if state.settings["sendpulse.smtp_left"] is not None:
        smtp["email_qty_left"] = state.settings["sendpulse.smtp_left"]
    money = float(state.settings["sendpulse.balance"])
    return responses.json(
        {
            "balance": {"main": f"{money:.2f}", "bonus": "0.00", "currency": CURRENCY},
            "email": {
                "tariff_name": "Sandbox",
                "finished_time": end,
                "emails_left": max(0, _EMAILS - sent),
                "maximum_subscribers": _EMAILS,
                "current_subscribers": contacts,
            },
            "smtp": smtp,
            "push": {"tariff_name": "Push Sandbox", "end_date": end[:10], "auto_renew": 1},
        }
    )
