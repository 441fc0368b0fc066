"""What SendPulse tells of money: what is left of the plan for SMTP, and what a campaign to a mailing list costs."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_esp.core.calls import Flow
from airflow_provider_esp.core.pricing import Estimate, Pricing, estimate
from airflow_provider_esp.exceptions import Unsupported
from airflow_provider_esp.services.sendpulse.api import account, addressbooks
from airflow_provider_esp.services.sendpulse.service import SENDPULSE


def of_message() -> Flow[Pricing]:
    """Ask how many e-mails the plan for SMTP has left: `GET user/balance/detail`."""
    plan = (yield from account.balance_detail()).smtp
    return Pricing(unit="e-mails", included=plan.email_qty_left, basis=plan.tariff_name)


def of_campaign(book_ids: Sequence[str], segment_id: int | None) -> Flow[Estimate]:
    """Ask what a campaign costs: `GET addressbooks/{id}/cost` for each mailing list, and `GET user/balance/detail`.

    :raises Unsupported: it goes to a segment, whose price no method tells.
    """
    if segment_id is not None or not book_ids:
        raise Unsupported(
            SENDPULSE.title,
            "tell what a campaign to a segment costs (check_balance)",
            "It tells that of mailing lists.",
        )
    emails, cost, covered, currency = 0, 0.0, True, ""
    for book_id in book_ids:
        told = yield from addressbooks.book_cost(int(book_id))
        emails, cost, currency = emails + told.sent_emails_qty, cost + told.overdraft_price, told.cur or currency
        covered = covered and told.result
    money = (yield from account.balance_detail()).balance
    pricing = Pricing(
        unit="e-mails",
        included=0 if cost else None,
        price=cost / emails if cost and emails else None,
        basis="the service's own figure for these mailing lists",
        available=money.main + money.bonus,
        currency=currency or money.currency,
    )
    result = estimate(pricing, emails, emails)
    if not covered and not result.shortfall:
        from msgspec.structs import replace

        return replace(result, shortfall="the service says that the account cannot pay for a campaign to these lists")
    return result
