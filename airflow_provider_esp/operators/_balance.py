"""`check_balance`: what a send costs is shown, and one that the account cannot pay for is refused before it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.sources import source_of

if TYPE_CHECKING:
    from airflow_provider_esp.core.models import Recipient
    from airflow_provider_esp.core.pricing import Estimate, Pricing
    from airflow_provider_esp.core.readers.table import Table
    from airflow_provider_esp.core.validation.mapper import Mapper
    from airflow_provider_esp.core.validation.suppression import LeavesOut


def estimate_messages(
    pricing: Pricing, source: Any, make: Callable[[Table], Mapper[Recipient]], suppression: LeavesOut | None
) -> Estimate:
    """Count who would be written to, and in how many parts; reads the source once more.

    :param pricing: what the service tells.
    :param make: makes the mapper for the opened source.
    :param suppression: who is left out.
    """
    from airflow_provider_esp.core.pricing import estimate, filled, sms_parts
    from airflow_provider_esp.core.readers.table import looking_ahead
    from airflow_provider_esp.core.validation.key_set import CompactKeySet
    from airflow_provider_esp.core.validation.suppression import names_of

    met, messages, units = CompactKeySet(), 0, 0
    with looking_ahead(), source_of(source).open() as table:
        mapper = make(table)
        for row in table.rows:
            recipient = mapper(row)
            if isinstance(recipient, str) or not met.add(mapper.key(recipient)):
                continue
            if suppression is not None and suppression.reason(names_of(recipient)):
                continue
            messages += 1
            units += 1 if pricing.text is None else sms_parts(filled(pricing.text, recipient.data))
    return estimate(pricing, messages, units)


def as_result(estimate: Estimate) -> dict[str, Any]:
    """Return what an XCom holds of an estimate, for a person who approves."""
    return {
        "messages": estimate.messages,
        "parts": estimate.units,
        "cost": estimate.cost,
        "currency": estimate.currency,
        "available": estimate.available,
        "words": estimate.words,
    }


def check(estimate: Estimate, refuse: Callable[[Exception], None], log: Any) -> None:
    """Log an estimate, and refuse a send that the account cannot pay for.

    :param refuse: raises the error, or in a dry run notes it.
    """
    from airflow_provider_esp.exceptions import BalanceTooLow

    log.info("Before sending: %s.", estimate.words)
    if estimate.shortfall:
        refuse(
            BalanceTooLow(
                f"The account cannot pay for this send: {estimate.shortfall} ({estimate.words}). Nothing was sent. Top "
                "the account up, or say check_balance=False, and clear the task."
            )
        )
