"""What a send needs and what an account has, without a service."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_esp.core.pricing import Pricing, estimate, filled, sms_parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # counts two
        ("€" * 81, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("a" * 69 + "я", 1),
        ("a" * 70 + "я", 2),
        ("😀" * 35, 1),  # two units of UTF-16 each
        ("😀" * 36, 2),
    ],
    ids=lambda value: str(value)[:8],
)
def test_the_parts_of_a_text_message(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Your code: $!data.get('code')", "Your code: 17"),
        ('$data.get("code")!', "17!"),
        ("$!{data.get('code')}", "17"),
        ("Hi $!data.get('name'), $!data.get('none')", "Hi , "),
        ("100 $", "100 $"),
    ],
)
def test_a_text_is_filled_with_a_recipients_values(text: str, said: str) -> None:
    assert filled(text, {"code": 17, "none": None}) == said


SMS: dict[str, Any] = {"unit": "SMS parts", "text": "Hi", "currency": "UAH", "basis": "last month"}


@pytest.mark.parametrize(
    ("pricing", "units", "cost", "shortfall"),
    [
        (Pricing(**SMS, price=0.5, available=50.0), 100, 50.0, ""),
        (Pricing(**SMS, price=0.5, available=49.0), 100, 50.0, "1.00 UAH are missing"),
        (Pricing(**SMS, price=0.5, available=45.0, included=10), 100, 45.0, ""),
        (Pricing(**SMS, price=0.5, available=0.0, included=100), 100, 0.0, ""),
        (Pricing(**SMS, price=None, available=0.0), 1, None, "the account is empty"),
        (Pricing(**SMS, price=None, available=-3.0), 1, None, "the account is empty"),
        (Pricing(**SMS, price=None, available=0.01), 1, None, ""),
        (Pricing(**SMS, price=None, available=0.0), 0, 0.0, ""),
        (Pricing(unit="e-mails", included=None), 10**9, 0.0, ""),
        (Pricing(unit="e-mails", included=5), 5, 0.0, ""),
        (Pricing(unit="e-mails", included=5), 8, None, "the plan has 5 e-mails left, which is 3 too few"),
    ],
)
def test_what_an_account_can_pay_for(pricing: Pricing, units: int, cost: float | None, shortfall: str) -> None:
    told = estimate(pricing, units, units)
    assert (told.cost, told.shortfall) == (cost, shortfall)


def test_an_estimate_says_all_of_it() -> None:
    told = estimate(Pricing(**SMS, price=0.5, available=1000.0, included=10), 60, 100)
    assert told.words == (
        "60 messages, 100 SMS parts; 10 of them free; 45.00 UAH at 0.5 each (last month); the account has 1,000.00 UAH"
    )
