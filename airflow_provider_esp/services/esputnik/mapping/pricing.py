"""What eSputnik tells of money: its balance, and what text messages have cost lately.

It documents no method for the price of a message. The history of the last month gives the average price of a part.
"""

from __future__ import annotations

from datetime import date, timedelta

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.paging import for_each
from airflow_provider_esp.core.pricing import Pricing
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.esputnik.api import general, templates
from airflow_provider_esp.services.esputnik.service import ESPUTNIK

_DAYS = 30
_CHANNEL = "sms"


def of_message(message_id: str, today: date) -> Flow[Pricing]:
    """Ask what is known of the price of a message: `GET v1/messages/sms`, `GET v1/balance` and its history.

    :param today: on the account's clock.
    :raises Unsupported: it is no text message.
    """
    texts: dict[str, templates.SmsTemplate] = {}

    def look(template: templates.SmsTemplate) -> None:
        if str(template.id) == message_id.strip():
            texts[message_id] = template

    yield from for_each(templates.text_message_pages(), look)
    if message_id not in texts:
        raise Unsupported(
            ESPUTNIK.title,
            f"tell what message {message_id} costs (check_balance)",
            "It tells that of text messages only, and this is none.",
        )
    balance = yield from general.balance()
    price = yield from _price(today)
    return Pricing(
        unit="SMS parts",
        text=texts[message_id].text or "",
        included=balance.bonus_smses or 0,
        price=price,
        basis=f"the average of the last {_DAYS} days",
        available=balance.current_balance + (balance.credit_limit or 0.0),
        currency=balance.currency,
    )


def _price(today: date) -> Flow[float | None]:
    """Return the average price of a part that was paid for; None where none was."""
    history = yield from general.balance_history(today - timedelta(days=_DAYS), today)
    money, parts = 0.0, 0
    for day in history.daily_costs:
        for channel in day.channel_details:
            if channel.media_type.lower() == _CHANNEL:
                money += channel.funds_withdrawal + channel.reserved_funds_withdrawal
                parts += channel.total_parts - channel.bonus_spent
    return money / parts if money > 0 and parts > 0 else None
