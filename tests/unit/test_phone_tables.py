"""Phone numbers of fifteen countries, as tables keep them: which are read right, which are refused, and none wrong.

Run with ``-s`` to see the tables. The numbers are made of the library's own examples with a fixed seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberType

from airflow_provider_esp.core.validation.addresses import PhoneRules, phone_number
from airflow_provider_esp.core.validation.numbering_plans import country_of, is_valid, valid_national
from airflow_provider_esp.exceptions import InvalidValue

COUNTRIES = ("UA", "PL", "DE", "GB", "FR", "ES", "IT", "US", "KZ", "RU", "TR", "IN", "BR", "SE", "SG")
KINDS = {"mobile": PhoneNumberType.MOBILE, "landline": PhoneNumberType.FIXED_LINE}
EACH = 1000
MORE_TRUNKS = {"UA": ("8",), "KZ": ("8",), "RU": ("8",)}
"""Digits before a number, besides the usual ones, that people of a country write."""


def parsed(code: str, national: str) -> PhoneNumber:
    """Return the number as the library has it: leading zeros are kept apart."""
    zeros = len(national) - len(national.lstrip("0"))
    return PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


@cache
def nationals(region: str, kind: str) -> tuple[str, ...]:
    """Return national numbers of a country: the example's length and first digit, all others random."""
    example_number = phonenumbers.example_number_for_type(region, KINDS[kind])
    assert example_number is not None
    base = phonenumbers.national_significant_number(example_number)
    code, dice = str(example_number.country_code), random.Random(f"{region} {kind}")
    found: dict[str, None] = {}
    while len(found) < EACH:
        kept = dice.choice((0, 1, 2, 3))
        digits = base[:kept] + "".join(dice.choice("0123456789") for _ in base[kept:])
        number = parsed(code, digits)
        if phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in (
            KINDS[kind],
            PhoneNumberType.FIXED_LINE_OR_MOBILE,
        ):
            found[digits] = None
    return tuple(found)


@dataclass
class Shares:
    """How many numbers were read right, refused, and read as another's."""

    right: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def take(self, read: Callable[[str], str], written: str, meant: str) -> None:
        try:
            digits = read(written).removeprefix("+")
        except InvalidValue:
            self.refused += 1
            return
        if digits == meant:
            self.right += 1
        else:
            self.wrong.append(written)

    def __str__(self) -> str:
        total = self.right + self.refused + len(self.wrong)
        return f"{100 * self.right / total:5.1f} {100 * self.refused / total:5.1f} {len(self.wrong):5}"


def spellings(region: str, national: str) -> Iterator[tuple[str, str]]:
    """Give the ways in which a table may hold a national number, by name."""
    yield "as it is", national
    usual = country_of(region).trunk_prefixes[:1]
    for trunk in dict.fromkeys([*usual, *MORE_TRUNKS.get(region, ())]):
        if (trunk, region) == ("8", "UA"):
            yield "trunk 8", f"80{national}"
        else:
            yield f"trunk {trunk}", f"{trunk}{national}"


def table(read: Callable[[str], Callable[[str], str]], title: str) -> dict[tuple[str, str, str], Shares]:
    """Read all numbers in all spellings, and print the shares."""
    shares: dict[tuple[str, str, str], Shares] = {}
    for region in COUNTRIES:
        code = country_of(region).code
        reader = read(region)
        for kind in KINDS:
            for national in nationals(region, kind):
                written = [
                    *spellings(region, national),
                    ("with code", code + national),
                    ("with +", f"+{code}{national}"),
                ]
                for name, number in written:
                    shares.setdefault((region, kind, name), Shares()).take(reader, number, code + national)
    print(f"\n{title}\n{'':2} {'':8} {'':10} right refus. wrong (percent, percent, numbers)")
    for (region, kind, name), one in shares.items():
        print(f"{region:2} {kind:8} {name:10} {one}")
    return shares


def total(shares: dict[tuple[str, str, str], Shares], *names: str) -> Shares:
    """Add up the shares of some spellings."""
    whole = Shares()
    for (_, _, name), one in shares.items():
        if name in names:
            whole.right, whole.refused = whole.right + one.right, whole.refused + one.refused
            whole.wrong += one.wrong
    return whole


NATIONAL = ("as it is", "trunk 0", "trunk 1", "trunk 8")


def test_without_an_argument_no_national_number_is_taken_for_anothers() -> None:
    shares = table(lambda region: phone_number, "No argument")
    assert [number for one in shares.values() for number in one.wrong] == []
    assert total(shares, "with +").refused == 0
    coded = total(shares, "with code")
    print(f"With their code and no plus: {coded}; national: {total(shares, *NATIONAL)}")
    assert coded.right > 0.7 * (coded.right + coded.refused)
    for region in ("UA", "PL", "DE", "GB", "FR", "ES", "IT", "TR", "IN", "BR"):
        assert shares[region, "mobile", "with code"].refused == 0, region


def test_with_the_country_every_valid_number_is_read_right() -> None:
    shares = table(lambda region: PhoneRules(region).normalize, "default_country")
    assert [number for one in shares.values() for number in one.wrong] == []
    for (region, kind, name), one in shares.items():
        if kind == "mobile" or name != "as it is":
            assert one.refused == 0, (region, kind, name)
        else:  # a landline that has lost its 0 and begins with the country's own code can be two numbers
            assert one.refused < 0.02 * EACH, (region, one.refused)
    print(f"All: {total(shares, *NATIONAL, 'with code', 'with +')}")


def test_international_numbers_are_read_right_without_plus() -> None:
    shares = table(lambda region: PhoneRules(phone_format="international").normalize, "international")
    coded, national = total(shares, "with code"), total(shares, *NATIONAL)
    assert total(shares, "with +").refused == 0
    assert coded.right >= 0.99 * (coded.right + coded.refused + len(coded.wrong))
    assert coded.wrong == []
    taken = len(national.wrong) / (national.right + national.refused + len(national.wrong))
    print(f"National numbers that are taken for foreign ones: {taken:.1%}")
    assert 0.01 < taken < 0.5  # which is why the argument says that every number carries its code


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_what_is_read_quickly_is_what_a_closer_look_reads(region: str) -> None:
    rules = PhoneRules(region)
    quickly, home, dice = rules.quick_reader(), country_of(region), random.Random(region)
    examples = [
        phonenumbers.national_significant_number(number)
        for kind in PhoneNumberType.values()
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    prefixes = ("", *home.trunk_prefixes, home.code, "0", "00", "8", "+", f"{home.code}0", f"+{home.code}")
    was_read = 0
    for national in examples:
        changed = national[:2] + "".join(dice.choice("0123456789") for _ in national[2:])
        for prefix in prefixes:
            for digits in (prefix + national, prefix + changed, prefix + national[1:], prefix + national + "1"):
                for value in (
                    digits,
                    f"{digits[:3]} {digits[3:5]}  {digits[5:]}",
                    f"{digits}.0",
                    f"{digits[:3]}-{digits[3:]}",
                ):
                    quick = quickly(value)
                    if quick is not None:
                        was_read += 1
                        assert quick == rules.normalize(value), value
    assert was_read


@given(st.sampled_from(COUNTRIES), st.text("0123456789 +-.()\u0663", max_size=45))
@example("UA", "050 111 22 33")
@example("UA", "0501112233" + " " * 31)
@example("UA", "0 0 50 111 22 33")
@example("UA", "\u0660501112233")
def test_what_is_read_quickly_is_never_read_otherwise(region: str, value: str) -> None:
    rules = PhoneRules(region)
    number = rules.quick_reader()(value)
    if number is not None:
        assert number == rules.normalize(value)


def test_most_national_numbers_are_read_quickly() -> None:
    for region in COUNTRIES:
        quickly, code = PhoneRules(region).quick_reader(), country_of(region).code
        mobiles = [national for national in nationals(region, "mobile") if not national.startswith(code)]
        share = sum(quickly(national) == code + national for national in mobiles) / len(mobiles)
        assert share > 0.95, (region, share)
    assert PhoneRules().quick_reader()("0501112233") is None
    assert PhoneRules("UA").quick_reader()("050 111 22 33") == "380501112233"


# -- the expressions say what the library says --------------------------------------------------------------------

CODES = sorted(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


@st.composite
def changed_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """Give a calling code, and an example of its regions with some digits changed, left out or added."""
    code = draw(st.sampled_from(CODES))
    region = draw(st.sampled_from(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]))
    kind = draw(st.sampled_from(list(PhoneNumberType.values())))
    known = (
        phonenumbers.example_number_for_non_geo_entity(int(code))
        if region == "001"
        else phonenumbers.example_number_for_type(region, kind)
    ) or phonenumbers.example_number(region)
    digits = phonenumbers.national_significant_number(known) if known else "12345678"
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(digits) - 1))
        digits = digits[:at] + draw(st.sampled_from(["", *"0123456789", "00"])) + digits[at + 1 :] or "1"
    return code, digits


def same_as_library(code: str, national: str) -> None:
    if national.strip("0"):
        expected = phonenumbers.is_valid_number(parsed(code, national))
        assert bool(valid_national(code)(national)) is expected, (code, national)
        assert is_valid(code + national) is expected


@given(changed_numbers())
@settings(max_examples=1000, deadline=None)
@example(("1", "2025550123"))
@example(("7", "8005553535"))
def test_a_number_is_valid_where_the_library_says_so(number: tuple[str, str]) -> None:
    same_as_library(*number)


@given(st.sampled_from(CODES), st.from_regex(r"[0-9]{3,15}", fullmatch=True))
@settings(max_examples=1000, deadline=None)
def test_any_digits_are_valid_where_the_library_says_so(code: str, national: str) -> None:
    same_as_library(code, national)


@pytest.mark.parametrize("code", CODES)
def test_the_examples_of_every_region_are_valid(code: str) -> None:
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        for kind in PhoneNumberType.values():
            known = None if region == "001" else phonenumbers.example_number_for_type(region, kind)
            if known is not None:
                same_as_library(code, phonenumbers.national_significant_number(known))


# -- what is no phone number --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [PhoneRules(), PhoneRules("UA"), PhoneRules(phone_format="international")])
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("380971112233.5", "decimals"),
        ("380971112233.25", "decimals"),
        (".380971112233", "decimals"),
        ("380 971 112 233.50", "decimals"),
        ("3.80971E+11", "lost digits"),
        ("3,80971112233E+12", "lost digits"),
        ("2026-01-31", "it is a date"),
        ("31.01.2026", "it is a date"),
        ("01/31/2026", "it is a date"),
        ("2026-01-31 10", "it is a date"),
        ("1 234,50", "not valid"),
        ("1,234.50", "not valid"),
        ("-380971112233", "negative"),
        ("+-380971112233", "negative"),
        ("380971112233,5", "not valid"),
        ("192.168.100.200", "network address"),
        ("+380971112233\u200b", "invisible character U+200B at 14"),
        ("\u202a+380971112233\u202c", "invisible character U+202A at 1"),
        ("true", "letters"),
        ("+380971112233 / +380951112233", "not valid"),
    ],
)
def test_what_is_no_phone_number_is_refused_with_the_reason(rules: PhoneRules, written: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(words)):
        rules.normalize(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("380971112233.0", "380971112233"),
        ("380971112233.000", "380971112233"),
        ("380971112233,0", "380971112233"),
        ("+380971112233.0", "+380971112233"),
        ("3.80971112233E+11", "380971112233"),
        ("3,80971112233e11", "380971112233"),
        ("3.809711122330E+11", "380971112233"),
        ("+1.2025550123", "+12025550123"),
        ("380.97.111.22.33", "380971112233"),
        ("380 (97) 111.22-33", "380971112233"),
        ("+380 97 111 22 33", "+380971112233"),
        ("00380971112233", "+380971112233"),
    ],
)
def test_a_number_is_read_however_a_table_spells_it(written: str, meant: str) -> None:
    assert phone_number(written) == meant
    assert PhoneRules("UA").normalize(written) == meant


@pytest.mark.parametrize(
    "written", ["8800555353", "951112233", "9111112233", "14155552671", "81312345678", "0501234567"]
)
def test_a_number_that_may_be_national_is_refused(written: str) -> None:
    with pytest.raises(InvalidValue, match="has no country code"):
        phone_number(written)


@given(st.text(max_size=45))
@settings(max_examples=500, deadline=None)
def test_whatever_is_read_is_a_number_of_some_country(written: str) -> None:
    for rules in (PhoneRules(), PhoneRules("DE"), PhoneRules(phone_format="international")):
        try:
            number = rules.normalize(written)
        except InvalidValue:
            continue
        assert phonenumbers.is_possible_number(phonenumbers.parse(f"+{number.removeprefix('+')}"))
