"""E-mail addresses and phone numbers: what is one, and how it is written."""

from __future__ import annotations

import subprocess
import sys
import time

import email_validator
import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.validation.addresses import PhoneRules, email_address, ordinary_email, phone_number
from airflow_provider_esp.core.validation.numbering_plans import possible_number
from airflow_provider_esp.exceptions import InvalidValue


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "a@b.co",
        "first.last+tag@mail.example.co.uk",
        "o'neil_1@ex-ample.com",
        "x" * 64 + "@example.com",
        "ann@xn--80ak6aa92e.com",
        "ann@a-long-name-with-many-hyphens.example",
        "{x}!#$%&'*/=?^`|~@example.com",
    ],
)
def test_an_ordinary_address_is_taken_as_it_is(address: str) -> None:
    assert email_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@localhost",
        "ann@example..com",
        "ann@-example.com",
        "ann@example-.com",
        "ann@example.c0m4.7",
        ".ann@example.com",
        "ann.@example.com",
        "an..n@example.com",
        "ann@@example.com",
        "ann@exa mple.com",
        "ann@example.com\n",
        "ann@example.com, bob@example.com",
        "x" * 65 + "@example.com",
        '"ann"@example.com',
        "анна@example.com",
    ],
)
def test_what_is_no_address_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(InvalidValue, match=r"^the e-mail address (is not valid|holds a)"):
        email_address(address)


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_huge_value_is_refused_at_once(size: int) -> None:
    began = time.thread_time()
    for huge in ("a" * size, "a@" + "b." * size, "a@" + "b" * size, "a." * size + "@b.c"):
        with pytest.raises(InvalidValue):
            email_address(huge)
    with pytest.raises(InvalidValue):
        phone_number("1" * size)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("number", "plain"),
    [
        ("+380501234567", "+380501234567"),
        ("380 (50) 123-45-67", "380501234567"),
        ("+1\u00a0202\t5550100", "+12025550100"),
        ("+44 (0) 20 7946 0958", "+442079460958"),
        ("44 (0)20/7946-0958", "442079460958"),
        ("00380501234567", "+380501234567"),
        ("+380\u2010(50)\u2010123\u201045\u201067", "+380501234567"),
        ("+\u0663\u0668\u0660501234567", "+380501234567"),
        ("+39 06 698 12345", "+390669812345"),
        ("+375 (8029) 1234567", "+375291234567"),
        ("+882 16 123456", "+88216123456"),
    ],
)
def test_a_phone_number_is_brought_to_digits(number: str, plain: str) -> None:
    assert phone_number(number) == plain


@pytest.mark.parametrize(
    "number",
    [
        "",
        "123456",
        "1234567890123456",
        "12+34567890",
        "++380501234567",
        "380501234567x",
        "call +380501234567",
        "+380501234567 ext. 5",
        "+1 800 FLOWERS",
        "+38050123456",  # a digit is missing
        "+3805012345678",  # one is too many
        "+999501234567",  # no such country
        "+0501234567",
        "00",
    ],
)
def test_what_is_no_phone_number_is_refused(number: str) -> None:
    with pytest.raises(InvalidValue, match=r"^the phone number is not valid"):
        phone_number(number)


@pytest.mark.parametrize("number", ["0501234567", "050.123.45.67"])
def test_a_number_that_only_its_own_country_understands_is_refused(number: str) -> None:
    with pytest.raises(InvalidValue, match=r"^the phone number has no country code"):
        phone_number(number)


@pytest.mark.parametrize(
    ("address", "ascii_form"),
    [("ann@пошта.укр", "ann@xn--80a1acn3a.xn--j1amh"), ("ann@MÜNCHEN.example", "ann@xn--mnchen-3ya.example")],
)
def test_a_host_in_other_letters_is_written_in_its_ascii_form(address: str, ascii_form: str) -> None:
    assert email_address(address) == ascii_form


words = st.text(alphabet="ab9_+-.'é", max_size=70)
hosts = st.lists(st.text(alphabet="ab9-", min_size=1, max_size=66), max_size=6).map(".".join)


@given(words, hosts)
@example("a", "b" * 63 + ".com")
@example("a", "b" * 31 + "-" + "b" * 31 + ".com")
@example("a", ".".join(["b" * 60] * 5))
def test_what_is_ordinary_is_an_address_to_the_library_too(mailbox: str, host: str) -> None:
    address = f"{mailbox}@{host}"
    if ordinary_email(address):
        email_validator.validate_email(address, check_deliverability=False)


@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.from_regex(r"[0-9]{3,14}", fullmatch=True))
@settings(max_examples=500, deadline=None)
def test_numbers_are_taken_as_the_library_takes_them(code: int, rest: str) -> None:
    number = f"+{code}{rest}"
    known = phonenumbers.parse(number)
    as_written = phonenumbers.format_number(known, phonenumbers.PhoneNumberFormat.E164) == number
    if possible_number()(number) and as_written:
        assert phonenumbers.is_possible_number(known)
    if phonenumbers.is_valid_number(known) and as_written:
        assert phone_number(number) == number


def test_the_ordinary_numbers_of_every_country_are_known() -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        one = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if one is not None:
            number = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164)
            assert phone_number(number) == number
            assert PhoneRules(phone_format="international").normalize(number[1:]) == number[1:]


def test_no_library_is_imported_for_ordinary_addresses() -> None:
    program = (
        "import sys; from airflow_provider_esp.core.validation.addresses import email_address; "
        "email_address('ann@example.com'); print('email_validator' in sys.modules, 'phonenumbers' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+380 97 111 22 33.0", "+380971112233"),
        ("0038 0971112233.0", "+380971112233"),
        ("+49 30 123456.0", "+4930123456"),
        ("380 97 1112233.0", "380971112233"),
        ("+380-97-111-22-33.", "+380971112233"),
        ("044.555.00.00", "380445550000"),
    ],
)
def test_a_zero_behind_a_decimal_point_is_no_digit_of_a_number_in_groups(value: str, number: str) -> None:
    rules = PhoneRules(default_country="UA") if value[:1] != "+" else PhoneRules()
    assert rules.normalize(value) == number


@pytest.mark.parametrize(
    "value",
    ["+49.30.123456.0", "+380 97 111 22 33.00", "+380 97 111 22 33.5", "+380.97.111.22.33.0", "(097) 111-22-33.00"],
)
@pytest.mark.parametrize("country", [None, "UA", "DE"])
def test_a_number_in_groups_with_decimals_is_not_guessed_at(value: str, country: str | None) -> None:
    with pytest.raises(InvalidValue, match="has decimals"):
        PhoneRules(default_country=country).normalize(value)


@pytest.mark.parametrize(
    "value", ["+38 (0)97 111 22 33", "+38(0)971112233", "0038 (0) 97 111-22-33", "+380 (0)97 1112233"]
)
def test_a_zero_in_brackets_that_belongs_to_the_country_code_stays(value: str) -> None:
    assert PhoneRules().normalize(value) == "+380971112233"
    assert PhoneRules(phone_format="international").normalize(value.lstrip("+0")) == "380971112233"


@pytest.mark.parametrize(
    ("value", "number"), [("+44 (0)20 7946 0958", "+442079460958"), ("+7(0)9111112233", "+79111112233")]
)
def test_a_trunk_zero_in_brackets_behind_a_country_code_goes(value: str, number: str) -> None:
    assert PhoneRules().normalize(value) == number
