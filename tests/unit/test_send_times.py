"""When something may be sent: durations, hours of a day, late runs and starts, without Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_esp.core.broadcasts.start_time import read_start
from airflow_provider_esp.core.send.lateness import RunKind, RunTime, read_limit
from airflow_provider_esp.core.send.window import read_window
from airflow_provider_esp.utils.durations import in_words, read_duration

KYIV = ZoneInfo("Europe/Kyiv")  # +2; in 2026 +3 from 29 March 03:00 until 25 October 04:00
NOON = datetime(2026, 3, 3, 12, tzinfo=KYIV)
HOUR = 3600.0


def at(text: str, zone: tzinfo = KYIV) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


# -- durations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (timedelta(hours=36), 36 * HOUR),
        (90, 90.0),
        (1.5, 1.5),
        (0, 0.0),
        ("90", 90.0),
        ("36h", 36 * HOUR),
        (" 36 H ", 36 * HOUR),
        ("90min", 5400.0),
        ("90m", 5400.0),
        ("3d", 72 * HOUR),
        ("1.5h", 5400.0),
        ("45s", 45.0),
        ("12:00:00", 12 * HOUR),
        ("1 day, 12:00:00", 36 * HOUR),
        ("3 days, 0:00:00", 72 * HOUR),
    ],
    ids=str,
)
def test_a_duration_is_read_as_authors_and_templates_write_it(value: Any, seconds: float) -> None:
    assert read_duration("wait", value) == seconds


@pytest.mark.parametrize(
    "value", ["soon", "", "1w", "-5", -1, timedelta(seconds=-1), True, None, [], float("nan"), "h"]
)
def test_what_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^wait must be a timedelta, a number of seconds, or text such as"):
        read_duration("wait", value)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3000)))
def test_a_timedelta_is_read_back_from_how_python_writes_it(value: timedelta) -> None:
    assert read_duration("wait", str(value)) == pytest.approx(value.total_seconds())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (5 * HOUR + 48 * 60 + 12, "5 h 48 min"),
        (24 * HOUR, "1 day"),
        (24 * HOUR + 30, "1 day"),
        (74 * HOUR + 60, "3 days 2 h"),
        (float("inf"), "any time"),
    ],
)
def test_a_duration_is_shown_by_its_two_largest_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


# -- the hours of a day -------------------------------------------------------------------------------------------

TIMES = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
ZONES = st.sampled_from([KYIV, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")])
MOMENTS = st.integers(int(at("2026-01-01")), int(at("2026-12-31")))


@given(TIMES, TIMES, ZONES, MOMENTS)
def test_a_window_is_open_by_the_clock_on_the_wall(start: str, end: str, zone: ZoneInfo, moment: int) -> None:
    if start == end:
        return
    window = read_window((start, end), zone)
    shown = datetime.fromtimestamp(moment, zone).strftime("%H:%M")
    inside = start <= shown < end if start < end else not end <= shown < start
    assert window.is_open(moment) is inside


@given(TIMES, TIMES, ZONES, MOMENTS, st.floats(0, 1, exclude_max=True))
def test_a_window_opens_and_closes_at_the_first_moment_that_is(
    start: str, end: str, zone: ZoneInfo, moment: int, share: float
) -> None:
    if start == end:
        return
    window = read_window((start, end), zone)
    for turn, wanted in ((window.opens_at(moment), True), (window.closes_at(moment), False)):
        assert moment <= turn <= moment + 26 * HOUR
        assert window.is_open(turn) is wanted
        if turn > moment:
            assert window.is_open(moment + int((turn - moment) * share)) is not wanted


@pytest.mark.parametrize(
    ("now", "hours", "opens"),
    [
        ("2026-03-03T03:00", "09:00-21:00", "2026-03-03T09:00"),
        ("2026-03-03T09:00", "09:00-21:00", "2026-03-03T09:00"),
        ("2026-03-03T20:59:59", "09:00-21:00", "2026-03-03T20:59:59"),
        ("2026-03-03T21:00", "09:00-21:00", "2026-03-04T09:00"),
        ("2026-03-03T12:00", "22:00-06:00", "2026-03-03T22:00"),
        ("2026-03-03T23:30", "22:00-06:00", "2026-03-03T23:30"),
        ("2026-03-04T05:59", "22:00-06:00", "2026-03-04T05:59"),
        ("2026-03-04T06:00", "22:00-06:00", "2026-03-04T22:00"),
        ("2026-03-28T22:00", "09:00-21:00", "2026-03-29T09:00"),  # ten hours later: the night is an hour shorter
        ("2026-03-28T22:00", "03:30-05:00", "2026-03-29T04:00"),  # 03:30 does not exist; 04:00 is the first inside
        ("2026-10-24T22:00", "09:00-21:00", "2026-10-25T09:00"),
        ("2026-10-24T22:00", "03:30-05:00", "2026-10-25T03:30+03:00"),  # the first of the two
    ],
)
def test_the_next_opening(now: str, hours: str, opens: str) -> None:
    assert read_window(hours, KYIV).opens_at(at(now)) == at(opens)


def test_a_window_of_the_whole_day_never_closes() -> None:
    window = read_window(("00:00", "24:00"), KYIV)
    assert window.closes_at(at("2026-03-03T12:00")) == float("inf")


@pytest.mark.parametrize(
    "value",
    [
        ("09:00", "21:00"),
        ["9:00", "21:00"],
        "09:00-21:00",
        " 9:00 \u2013 21:00 ",
        (time(9), time(21)),
        ("09:00:00", "21:00"),
    ],
    ids=str,
)
def test_a_window_is_read_as_authors_and_templates_write_it(value: Any) -> None:
    assert str(read_window(value, KYIV)) == "09:00-21:00 (Europe/Kyiv)"


@pytest.mark.parametrize(
    "value",
    [
        "09:00",
        ("09:00",),
        ("09:00", "09:00"),
        ("09:00", "25:00"),
        ("24:00", "09:00"),
        ("09:00", "21:60"),
        ("09:00", "24:30"),
        ("9", "21"),
        (9, 21),
        5,
        ("09:00", "12:00", "21:00"),
        (time(9, tzinfo=UTC), time(21)),
        "morning-evening",
    ],
    ids=str,
)
def test_what_is_no_window_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^send_window must be two different times of day"):
        read_window(value, KYIV)


# -- late runs ----------------------------------------------------------------------------------------------------


def refused(kind: RunKind, late: float, max_lateness: Any = None, *, allow_backfill: bool = False) -> str:
    run = RunTime(kind, NOON)
    return read_limit(max_lateness, allow_backfill=allow_backfill).refusal(run, NOON.timestamp() + late)


@pytest.mark.parametrize(
    ("kind", "late", "max_lateness", "allow_backfill", "is_refused"),
    [
        (RunKind.SCHEDULED, 24 * HOUR, None, False, False),
        (RunKind.SCHEDULED, 24 * HOUR + 1, None, False, True),
        (RunKind.SCHEDULED, 24 * HOUR + 1, "None", False, True),
        (RunKind.SCHEDULED, 72 * HOUR, "off", False, False),
        (RunKind.SCHEDULED, 72 * HOUR, "4d", False, False),
        (RunKind.SCHEDULED, 2 * HOUR, timedelta(hours=1), False, True),
        (RunKind.SCHEDULED, 72 * HOUR, None, True, True),  # what allows backfills allows no late runs
        (RunKind.SCHEDULED, -HOUR, 0, False, False),  # a run before its time is not late
        (RunKind.OTHER, 10_000 * HOUR, None, False, False),
        (RunKind.OTHER, 2 * HOUR, "1h", False, True),
        (RunKind.BACKFILL, 0, None, False, True),
        (RunKind.BACKFILL, 0, "off", False, True),
        (RunKind.BACKFILL, 10_000 * HOUR, None, True, False),
        (RunKind.BACKFILL, 10_000 * HOUR, "1h", True, False),
    ],
)
def test_who_is_too_late(kind: RunKind, late: float, max_lateness: Any, allow_backfill: bool, is_refused: bool) -> None:
    assert bool(refused(kind, late, max_lateness, allow_backfill=allow_backfill)) is is_refused


def test_a_refusal_says_how_late_it_is_and_what_to_do() -> None:
    assert refused(RunKind.SCHEDULED, 74 * HOUR).startswith(
        "This run is too late to send: it was due at 2026-03-03T10:00+00:00, 3 days 2 h before the time of sending, "
        "and max_lateness allows 1 day, the default for scheduled runs. To send it all the same, "
    )
    assert "default" not in refused(RunKind.SCHEDULED, 74 * HOUR, "1d")
    assert "allow_backfill=True" in refused(RunKind.BACKFILL, 0)


def test_a_run_of_which_nothing_tells_when_it_was_due_is_not_late() -> None:
    assert not read_limit("1h", allow_backfill=False).refusal(RunTime(RunKind.OTHER, None), NOON.timestamp())


def test_an_unreadable_limit_is_refused_and_names_off() -> None:
    with pytest.raises(ValueError, match=r'^max_lateness must be .* "off" means no limit'):
        read_limit("never", allow_backfill=False)


# -- starts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        datetime(2026, 3, 3, 12),  # an author's, on the account's clock
        "2026-03-03T12:00",
        " 2026-03-03 12:00:00 ",
        "2026-03-03T10:00:00+00:00",
        "2026-03-03T10:00:00Z",
        datetime(2026, 3, 3, 10, tzinfo=UTC),
    ],
    ids=str,
)
def test_a_start_without_a_zone_is_on_the_accounts_clock(value: Any) -> None:
    start = read_start(value, KYIV)
    assert start is not None
    assert (start.moment, start.warning) == (NOON, "")


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_no_start_is_at_once(value: Any) -> None:
    assert read_start(value, KYIV) is None


@pytest.mark.parametrize("value", ["tomorrow", "03.03.2026", 5, "2026-02-30T09:00"])
def test_what_is_no_start_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="start must look like"):
        read_start(value, KYIV)


@pytest.mark.parametrize(
    "value", ["2026-03-29T03:30", datetime(2026, 3, 29, 3, 30), datetime(2026, 3, 29, 3, 30, tzinfo=KYIV)]
)
def test_an_hour_that_clocks_skip_is_named_and_made_one_that_exists(value: Any) -> None:
    start = read_start(value, KYIV)
    assert start is not None
    assert start.moment.isoformat() == "2026-03-29T04:30:00+03:00"
    assert start.warning.startswith(
        "start 2026-03-29T03:30 does not exist in Europe/Kyiv: clocks are put forward then."
    )
    assert "2026-03-29T04:30+03:00 is meant instead" in start.warning


def test_an_hour_that_comes_twice_is_named() -> None:
    start = read_start("2026-10-25T03:30", KYIV)
    assert start is not None
    assert start.moment.isoformat() == "2026-10-25T03:30:00+03:00"
    assert start.warning.startswith("start 2026-10-25T03:30 comes twice in Europe/Kyiv: clocks are put back then; ")
    assert "the first of the two, 2026-10-25T03:30+03:00" in start.warning


def test_an_offset_does_not_help_where_the_service_is_told_the_clock_on_the_wall() -> None:
    start = read_start("2026-10-25T03:30+02:00", KYIV)
    assert start is not None
    assert start.moment.isoformat() == "2026-10-25T03:30:00+02:00"
    assert "comes twice on the account's clock (Europe/Kyiv)" in start.warning
    assert "the second of the two" in start.warning


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(-12, 14))
def test_a_start_with_an_offset_is_that_moment(value: datetime, hours: int) -> None:
    moment = value.replace(tzinfo=timezone(timedelta(hours=hours)))
    start = read_start(moment, KYIV)
    assert start is not None
    assert start.moment == moment
    assert start.moment.tzinfo is KYIV
