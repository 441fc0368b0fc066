"""When opt-out sources stop a task, and what the task says then."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_esp.core.validation.suppression import OneList, Suppression
from airflow_provider_esp.exceptions import EmptySource, SourceError
from airflow_provider_esp.operators._optout_limits import (
    OptOutLimits,
    check_amount,
    check_entries,
    check_limits,
    check_total,
    limits_of,
)
from airflow_provider_esp.operators._optout_sources import key_of
from airflow_provider_esp.operators._suppression import GivenPeople, SuppressAttribute
from airflow_provider_esp.sources import FileSource, ListSource
from airflow_provider_esp.stores.optout_counts import source_key

log = logging.getLogger("task")


class Counts:
    """Counts of the last success, without Airflow."""

    def __init__(self, people: int | None) -> None:
        self.people = people

    def load(self, key: str) -> int | None:
        return self.people

    def name(self, key: str) -> str:
        return f"esp_optouts_{key}"


def listed(*entries: object) -> OneList:
    return Suppression().take_given(entries, "optouts.csv")


def check(one: OneList, before: int | None = None, **limits: Any) -> None:
    check_entries(one, OptOutLimits(**limits), log)
    check_amount(one, OptOutLimits(**limits), Counts(before), "k", log)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "rows"), [(1, "row 2"), (2, "rows 2 and 3"), (3, "rows 2, 3 and 4"), (1021, "20, 21 and 1,001 more")]
)
def test_unreadable_entries_are_named_by_their_rows(wrong: int, rows: str) -> None:
    with pytest.raises(
        SourceError, match=rf"of {wrong + 1:,} entries contain no email, phone or id: .*{rows}\. Nothing was sent\."
    ) as raised:
        check(listed("ann@example.com", *["ben@example"] * wrong))
    assert "example" not in str(raised.value)


def test_unreadable_entries_that_are_ignored_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    check(listed("ann@example.com", "ben@example"), ignores_unreadable=True)
    assert "optouts.csv: 1 of 2 entries contain no email, phone or id: row 2. They are passed over" in caplog.text


@pytest.mark.parametrize("entries", [(), ("", None, "n/a")])
def test_a_source_without_entries_stops_the_task(entries: tuple[object, ...], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EmptySource, match=r"optouts.csv has .*no|blank.* Nothing was sent\. .*on_empty_suppression"):
        check(listed(*entries))
    check(listed(*entries), takes_empty=True)
    assert 'on_empty_suppression="continue"' in caplog.text


@pytest.mark.parametrize(("before", "stops"), [(None, False), (0, False), (2, False), (3, True), (1, False)])
def test_a_source_that_shrank_stops_the_task(before: int | None, stops: bool) -> None:
    one = listed("ann@example.com", "ben@example.com")
    if stops:
        with pytest.raises(SourceError, match=r"names 2 people to leave out, and named 3 .* 'esp_optouts_k'"):
            check(one, before)
    else:
        check(one, before)
    check(one, before, max_shrink=0.5)
    check(one, before, max_shrink=None)


def test_all_sources_together_have_to_name_enough() -> None:
    suppression = Suppression()
    suppression.take_given(["ann@example.com"], "a")
    suppression.take_given(["ben@example.com"], "b")
    check_total(suppression, OptOutLimits(min_suppressed=2))
    with pytest.raises(SourceError, match=r"names 2 people .* at least 3\. Nothing was sent\."):
        check_total(suppression, OptOutLimits(min_suppressed=3))


GIVEN = {
    "on_unreadable_suppression": " Ignore ",
    "on_empty_suppression": "continue",
    "max_suppression_shrink": "35%",
    "min_suppressed": "7",
}


def test_rendered_arguments_are_read_as_text() -> None:
    assert limits_of(GIVEN) == OptOutLimits(True, True, 0.35, 7)
    none = {**GIVEN, "max_suppression_shrink": "None", "min_suppressed": "None"}
    assert limits_of(none) == OptOutLimits(True, True, None, 0)


@pytest.mark.parametrize("name", GIVEN)
def test_templates_are_looked_at_when_they_are_rendered(name: str) -> None:
    check_limits({**GIVEN, name: "{{ params.x }}"})
    with pytest.raises(ValueError, match=name):
        check_limits({**GIVEN, name: "x"})


def test_a_source_is_the_same_on_another_day_and_another_one_is_not() -> None:
    def key(path: str) -> str:
        return source_key("file", path)

    days = ("s3://crm/2026-11-29/optouts-20261129.csv", "s3://crm/2026-12-01/optouts-20261201.csv")
    assert len(set(map(key, days))) == 1
    assert len(set(map(key, ("a/optouts-1.csv", "a/optouts-2.csv", "b/optouts-1.csv")))) == 3


# -- what an author gives -------------------------------------------------------------------------------------------


class Operator:
    suppress = SuppressAttribute()

    def __init__(self, suppress: Any) -> None:
        self.suppress = suppress


class XCom:
    def resolve(self) -> None:
        """Look like a reference to an XCom."""


def people(value: Any) -> list[Any]:
    """Return how many entries each source has that a value was made into; sources of other kinds as they are."""
    made = value if isinstance(value, list) else [value]
    return [len(one.values) if isinstance(one, GivenPeople) else one for one in made]


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("ann@example.com", [1]), ("Ann <ann@example.com>", [1]), ("ann@example.com/ben@example.com", [1]),
        ("mailto:ann@example.com", [1]), ("tel:+380971112233", [1]), ("380971112233.0", [1]), ("3.8E+11", [1]),
        ("ann\uff20example.com", [1]), ("['ann@example.com']", [1]), (380971112233, [1]), (b"ann@example.com", [1]),
        (["ann@example.com", ["ben@example.com"], 17], [1, 2]), ([], [0]), ("", [0]), ([[], "ann@example.com"], [0, 1]),
        ({"ann@example.com"}, [1]), (iter(["ann@example.com", None]), [2]), ({"a": 1}.keys(), [1]),
        ("s3://crm@bucket/optouts.csv", ["s3://crm@bucket/optouts.csv"]), ("optouts.csv", ["optouts.csv"]),
        ("/data/2026/20261129/optouts.ndjson.gz", ["/data/2026/20261129/optouts.ndjson.gz"]),
        ("data/20261129/20261130", ["data/20261129/20261130"]), ("unsubscribed", ["unsubscribed"]),
        ("{{ params.x }}", ["{{ params.x }}"]), ("unsubscribd", ["unsubscribd"]), (None, [None]),
    ],
)  # fmt: skip
def test_what_an_author_gives_becomes_sources(value: Any, made: list[Any]) -> None:
    assert people(Operator(value).suppress) == made


def test_a_text_that_names_somebody_is_no_path_of_a_file() -> None:
    for text in ("ann@example.com (see /data/x.csv)", "['ann@example.com/x.csv']", "ann@example.com, see notes.txt@x"):
        assert people(Operator(text).suppress) == [1]


@pytest.mark.parametrize(
    ("text", "files", "own_list", "entries"),
    [
        ("['unsubscribed', 'ann@example.com']", [], True, 1), ('["unsubscribed"]', [], True, 0),
        ("('/data/a.csv', 'ann@example.com', None)", ["/data/a.csv"], False, 2),
        ("['s3://crm/a.parquet', 'unsubscribed']", ["s3://crm/a.parquet"], True, 0),
        ("unsubscribed, ann@example.com; +380971112233", [], True, 2), ("'unsubscribed'", [], True, 0),
        ("ann@example.com\n/data/a.csv\n", ["/data/a.csv"], False, 1), ("Unsubscribed, ann@example.com", [], False, 2),
        ("{'path': 'out.ndjson', 'format': 'ndjson', 'sha256': '0'}", ["out.ndjson"], False, 0),
    ],
)  # fmt: skip
def test_a_source_in_a_list_that_a_template_made_a_text_of_is_not_passed_over(
    text: str, files: list[str], own_list: bool, entries: int
) -> None:
    for template, rendered in (("{{ params.x }}", text), (["{{ params.x }}"], [text])):
        operator = Operator(template)
        operator.suppress = rendered
        made = operator.suppress if isinstance(operator.suppress, list) else [operator.suppress]
        assert [one.path for one in made if isinstance(one, FileSource)] == files
        assert ("unsubscribed" in made) is own_list
        assert sum(len(one.values) for one in made if isinstance(one, GivenPeople)) == entries


def test_the_result_of_another_task_is_the_file_that_it_wrote() -> None:
    result = {"path": "out.ndjson", "format": "ndjson", "sha256": "0", "rows": 0}
    for value in (result, [result]):
        (one,) = people(Operator(value).suppress)
        assert isinstance(one, FileSource)
        assert one.path == "out.ndjson"


def test_a_path_of_any_kind_is_a_file() -> None:
    signed = "https://example.com/optouts.csv?signature=secret"
    for value in (Path("/data/optouts.csv"), [Path("/data/optouts.csv")], signed):
        (one,) = people(Operator(value).suppress)
        assert isinstance(one, FileSource)
        assert "secret" not in repr(one)
    keys = {key_of(FileSource(f"https://example.com/optouts.csv?signature={one}")) for one in ("secret", "another")}
    assert len(keys) == 1


def test_rows_become_a_source() -> None:
    for value in ({"email": "ann@example.com"}, [{"email": "ann@example.com"}]):
        (one,) = people(Operator(value).suppress)
        assert isinstance(one, ListSource)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (None, [0]), ([], [0]), ("", [0]), (["ann@example.com", None], [2]), ("ann@example.com", [1]),
        ("optouts.csv", ["optouts.csv"]),
    ],
)  # fmt: skip
def test_what_an_xcom_gives_is_a_source_also_if_it_is_nothing(value: Any, made: list[Any]) -> None:
    operator = Operator(XCom())
    operator.suppress = value
    assert people(operator.suppress) == made


def test_each_xcom_in_a_list_is_a_source() -> None:
    operator = Operator([XCom(), XCom(), "{{ params.x }}", "ben@example.com"])
    operator.suppress = [None, ["ann@example.com"], "optouts.csv", *operator.suppress[3:]]
    empty, ann, path, ben = people(operator.suppress)
    assert (empty, ann, ben) == (0, 1, 1)
    assert isinstance(path, FileSource)
