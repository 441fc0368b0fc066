"""Whoever is listed is left out, however the entry is written; and nobody else is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import reduce

import numpy
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airflow_provider_esp.core.readers.table import MISSING, Table
from airflow_provider_esp.core.validation.addresses import PhoneRules
from airflow_provider_esp.core.validation.mapper import recipient_mapper
from airflow_provider_esp.core.validation.optouts.entries import Meaning, Use, read_entry
from airflow_provider_esp.core.validation.suppression import OneList, Suppression, names_of
from tests.unit.optout_decorations import (
    ADDRESSES,
    ANYWHERE,
    BLANK,
    NATIONAL,
    NUMBERS,
    SEPARATORS,
    UNREADABLE,
    Decoration,
)

EXAMPLES = int(os.environ.get("ESP_EXAMPLES", "500"))
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UKRAINE = PhoneRules(default_country="UA")
ANN, BEN = "ann.smith@example.com", "ben@example.com"
ANNS_NUMBER, BENS_NUMBER = "380971112233", "380501112244"
ALL_OF_ADDRESSES = {**ANYWHERE, **ADDRESSES}
ALL_OF_NUMBERS = {**ANYWHERE, **{f"number: {name}": one for name, one in NUMBERS.items()}}


def suppressing(*entries: object, rules: PhoneRules | None = None) -> tuple[Suppression, OneList]:
    suppression = Suppression(rules)
    return suppression, suppression.take_given(entries, "the list")


def written_to(suppression: Suppression, *people: str) -> list[str]:
    """Return who of these people is written to, as a send finds it out."""
    mapper = recipient_mapper(Table(("to",), iter(()), "people.csv"), "to", None)
    made = [(person, mapper((person,))) for person in people]
    assert not [item for _, item in made if isinstance(item, str)]
    return [person for person, item in made if suppression.reason(names_of(item)) is None]


def neighbours(address: str) -> list[str]:
    """Return addresses of others that differ in little."""
    mailbox, _, domain = address.partition("@")
    others = (
        f"x{mailbox}",
        f"{mailbox}x",
        f"{mailbox}+news",
        f"x.{mailbox}",
        f"{mailbox}.x",
        mailbox[1:],
        mailbox[:-1],
    )
    same = {f"{one.strip('.')}@{domain}" for one in (*others, mailbox.replace(".", "")) if one.strip(".")} - {address}
    return [*sorted(same), f"{mailbox}@mail.{domain}", f"{mailbox}@x{domain}", f"{mailbox}@{domain}.ua"]


def other_numbers(number: str) -> list[str]:
    """Return numbers of others, with a plus, that differ in little, at the end."""
    return [
        f"+{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}" for at in range(len(number) - 7, len(number))
    ]


# -- each decoration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL_OF_ADDRESSES)
def test_an_address_is_understood_in_each_decoration(name: str) -> None:
    entry = ALL_OF_ADDRESSES[name](ANN)
    left_out, taken = suppressing(entry, BEN)
    assert (taken.unreadable, taken.blank) == (0, 0)
    assert written_to(left_out, ANN, BEN, *neighbours(ANN)) == neighbours(ANN)


@pytest.mark.parametrize("rules", [None, UKRAINE], ids=["no country", "UA"])
@pytest.mark.parametrize("name", ALL_OF_NUMBERS)
def test_a_number_is_understood_in_each_decoration(name: str, rules: PhoneRules | None) -> None:
    entry = ALL_OF_NUMBERS[name](ANNS_NUMBER if name.startswith("number") else f"+{ANNS_NUMBER}")
    left_out, taken = suppressing(entry, f"+{BENS_NUMBER}", rules=rules)
    assert (taken.unreadable, taken.blank) == (0, 0)
    others = other_numbers(ANNS_NUMBER)
    assert written_to(left_out, f"+{ANNS_NUMBER}", f"+{BENS_NUMBER}", *others) == others


@pytest.mark.parametrize("rules", [None, UKRAINE], ids=["no country", "UA"])
@pytest.mark.parametrize("name", NATIONAL)
def test_a_national_number_is_understood(name: str, rules: PhoneRules | None) -> None:
    left_out, taken = suppressing(NATIONAL[name](ANNS_NUMBER[3:]), rules=rules)
    assert taken.unreadable == 0
    others = other_numbers(ANNS_NUMBER)
    abroad = "+48971112233"
    expected = [*others, abroad] if rules else others  # without a country any number with this ending is left out
    assert [one for one in [f"+{ANNS_NUMBER}", *others, abroad] if left_out.reason([one]) is None] == expected


@pytest.mark.parametrize("separator", SEPARATORS)
def test_several_in_one_cell_are_all_left_out(separator: str) -> None:
    entry = separator.join([ANN, f"+{ANNS_NUMBER}", BEN, "050 111 22 44"])
    left_out, taken = suppressing(entry, rules=UKRAINE)
    assert (taken.unreadable, taken.people) == (0, 4)
    assert written_to(left_out, ANN, BEN, f"+{ANNS_NUMBER}", f"+{BENS_NUMBER}", "cid@example.com") == [
        "cid@example.com"
    ]


@pytest.mark.parametrize(
    "value",
    [
        380971112233,
        float(ANNS_NUMBER),
        Decimal("380971112233.00"),
        numpy.int64(ANNS_NUMBER),
        numpy.float64(ANNS_NUMBER),
    ],
    ids=["int", "float", "Decimal", "numpy int", "numpy float"],
)
def test_numbers_of_other_types_are_understood(value: object) -> None:
    left_out, taken = suppressing(value)
    assert (taken.unreadable, taken.people) == (0, 1)
    assert written_to(left_out, f"+{ANNS_NUMBER}", *other_numbers(ANNS_NUMBER)) == other_numbers(ANNS_NUMBER)


@pytest.mark.parametrize("value", [ANN.encode(), [ANN], {"work": ANN}, (None, [ANN])], ids=repr)
def test_values_that_hold_values_are_looked_into(value: object) -> None:
    left_out, taken = suppressing(value)
    assert (taken.unreadable, taken.people) == (0, 1)
    assert written_to(left_out, ANN, BEN) == [BEN]


@pytest.mark.parametrize("value", UNREADABLE)
def test_what_names_nobody_is_unreadable(value: object) -> None:
    assert suppressing(value)[1].unreadable == 1


@pytest.mark.parametrize("value", [*BLANK, MISSING, float("nan"), b"", [], {}], ids=repr)
def test_what_says_nothing_is_blank(value: object) -> None:
    _, taken = suppressing(value)
    assert (taken.blank, taken.unreadable, taken.people) == (1, 0, 0)


@pytest.mark.parametrize("ending", ["971112233", "0971112233", "1112233", "0001112233"])
def test_a_national_number_without_country_leaves_out_every_number_that_ends_so(ending: str) -> None:
    left_out, _ = suppressing(ending)
    assert left_out.reason([f"+{ANNS_NUMBER}"])
    assert left_out.reason(["+380971112234"]) is None
    assert left_out.reason([ANNS_NUMBER, BEN]) is None  # an id, which ends like that


def test_a_national_number_among_words_beside_an_address_is_one_and_a_short_number_is_none() -> None:
    left_out, _ = suppressing(f"call Ann 097 111 22 33, {ANN}, order 1112244")
    others = ["+380501112244"]
    assert written_to(left_out, ANN, f"+{ANNS_NUMBER}", *others) == others


def test_a_digest_names_nobody_although_digits_stand_together_in_it() -> None:
    for digest in ("d41d8cd98f00b204e9800998ecf8427e", f"{ANN}: D41D8CD98F00B204E9800998ECF8427E"):
        left_out, taken = suppressing(digest)
        assert taken.unreadable == 1
        assert left_out.reason(["+380509800998"]) is None


def test_too_few_digits_name_nobody() -> None:
    assert suppressing("0112233")[1].unreadable == 1
    assert suppressing("1112233")[1].unreadable == 0


def test_dots_and_plus_tags_are_other_mailboxes() -> None:
    left_out, _ = suppressing("ann.smith+news@example.com")
    others = ["annsmith@example.com", "ann.smith@example.com", "annsmith+news@example.com"]
    assert written_to(left_out, *others, "Ann.Smith+News@Example.com") == others


def test_a_domain_in_other_letters_is_one_with_its_ascii_form() -> None:
    for one, other in [("ann@b\u00fccher.example", "ann@xn--bcher-kva.example")] * 2:
        assert written_to(suppressing(one)[0], other) == written_to(suppressing(other)[0], one) == []


def test_ids_are_kept_as_they_are_and_as_the_whole_number_they_were() -> None:
    assert {"c-7"} <= read_entry("c-7", PhoneRules(), Use.IDS).names
    assert {"1001"} <= read_entry("1001.0", PhoneRules(), Use.IDS).names
    assert {"a", "b"} <= read_entry("a, b", PhoneRules(), Use.IDS).names
    assert read_entry("1234567", UKRAINE, Use.IDS).endings == set()


def test_a_cell_of_any_length_is_read_in_time() -> None:
    for value in ("x" * 200_000, "a@" * 20_000, "1 " * 50_000, "a." * 50_000 + "@", "(" * 50_000 + "@", "%40" * 10_000):
        assert read_entry(value, PhoneRules()).meaning in (Meaning.WORDS, Meaning.UNREADABLE)


# -- compositions ---------------------------------------------------------------------------------------------------

mailboxes = st.from_regex(r"[a-z][a-z0-9]{0,8}(?:[._+-][a-z0-9]{1,6}){0,2}", fullmatch=True)
domains = st.from_regex(r"(?:[a-z][a-z0-9]{1,8}(?:-[a-z0-9]{1,4})?\.){1,2}(?:com|ua|org|travel)", fullmatch=True)
addresses = st.builds("{}@{}".format, mailboxes, domains)
operators = st.sampled_from(["50", "67", "97", "93"])
ukrainian = st.builds("380{}{}".format, operators, st.from_regex("[0-9]{7}", fullmatch=True))
countries = st.sampled_from([None, UKRAINE])


def decorated(text: str, names: list[str], table: Mapping[str, Decoration]) -> str:
    return reduce(lambda value, name: table[name](value), names, text)


class Share:
    """How many compositions stop a task: printed, and limited."""

    def __init__(self) -> None:
        self.all = self.stopped = 0

    def count(self, stopped: bool) -> None:
        self.all += 1
        self.stopped += stopped


@pytest.fixture(scope="module")
def share() -> Iterator[Share]:
    counted = Share()
    yield counted
    share = counted.stopped / max(1, counted.all)
    print(f"\nOf {counted.all:,} compositions {counted.stopped:,} stop the task ({share:.1%}).")
    assert share < 0.1


some_of_addresses = st.lists(st.sampled_from(sorted(ALL_OF_ADDRESSES)), min_size=1, max_size=3)
some_of_anything = st.lists(st.sampled_from(sorted(ANYWHERE)), max_size=2)


@MANY
@given(address=addresses, others=st.lists(addresses, max_size=5), names=some_of_addresses)
def test_whoever_is_listed_is_not_written_to_and_everybody_else_is(
    share: Share, address: str, others: list[str], names: list[str]
) -> None:
    crowd = [one for one in dict.fromkeys([*others, *neighbours(address)]) if one != address]
    left_out, taken = suppressing(decorated(address, names, ALL_OF_ADDRESSES))
    share.count(bool(taken.unreadable))
    assert written_to(left_out, *crowd) == crowd
    if len(names) == 1:
        assert not taken.unreadable
    if not taken.unreadable:
        assert written_to(left_out, address) == []


@MANY
@given(
    number=ukrainian,
    kind=st.sampled_from(sorted(NUMBERS)),
    names=some_of_anything,
    others=st.lists(ukrainian, max_size=5),
    rules=countries,
)
def test_whoever_is_listed_by_number_is_not_written_to_and_everybody_else_is(
    share: Share, number: str, kind: str, names: list[str], others: list[str], rules: PhoneRules | None
) -> None:
    crowd = [
        one for one in dict.fromkeys([*(f"+{one}" for one in others), *other_numbers(number)]) if one != f"+{number}"
    ]
    left_out, taken = suppressing(decorated(NUMBERS[kind](number), names, ANYWHERE), rules=rules)
    share.count(bool(taken.unreadable))
    assert written_to(left_out, *crowd) == crowd
    if not names:
        assert not taken.unreadable
    if not taken.unreadable:
        assert written_to(left_out, f"+{number}") == []


@MANY
@given(
    number=ukrainian,
    kind=st.sampled_from(sorted(NATIONAL)),
    names=some_of_anything,
    rules=countries,
)
def test_national_numbers_leave_out_their_people_and_nobody_with_another_ending(
    share: Share, number: str, kind: str, names: list[str], rules: PhoneRules | None
) -> None:
    left_out, taken = suppressing(decorated(NATIONAL[kind](number[3:]), names, ANYWHERE), rules=rules)
    share.count(bool(taken.unreadable))
    assert written_to(left_out, *other_numbers(number)) == other_numbers(number)
    if not names:
        assert not taken.unreadable
    if not taken.unreadable:
        assert written_to(left_out, f"+{number}") == []


@MANY
@given(
    listed=st.lists(addresses, min_size=2, max_size=5, unique=True),
    others=st.lists(addresses, max_size=5),
    separator=st.sampled_from(SEPARATORS),
    names=st.lists(st.sampled_from(sorted(ALL_OF_ADDRESSES)), min_size=2, max_size=5),
)
def test_several_in_one_cell_are_left_out_and_nobody_else(
    share: Share, listed: list[str], others: list[str], separator: str, names: list[str]
) -> None:
    crowd = sorted(set(others) - set(listed))
    parts = [ALL_OF_ADDRESSES[name](one) for one, name in zip(listed, names * 3, strict=False)]
    left_out, taken = suppressing(separator.join(parts))
    share.count(bool(taken.unreadable))
    assert written_to(left_out, *crowd) == crowd
    if not taken.unreadable:
        assert written_to(left_out, *listed) == []


@MANY
@given(st.text(max_size=30), st.lists(addresses, max_size=3))
def test_any_text_is_read_and_leaves_out_only_whom_it_holds(text: str, crowd: list[str]) -> None:
    assume(not any(one.split("@")[0] in text for one in crowd))
    left_out, taken = suppressing(text)
    assert taken.entries == 1
    assert written_to(left_out, *crowd) == crowd
