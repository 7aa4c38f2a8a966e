"""A schedule fires at exactly the moments when its zone's clock reads one of its minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.language.schedule import ScheduleError, parse_schedule

ZONES = (
    *("UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata"),
    *("America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Australia/Lord_Howe"),
    *("America/Santiago", "Europe/London", "Asia/Tehran", "Africa/Casablanca", "Pacific/Apia"),
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def shown(at: float | None, zone: str) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M:%S%z")


# ---------------------------------------------------------------------------- vectors of upstream's library

NEW_YORK, SAO_PAULO, LOS_ANGELES = "America/New_York", "America/Sao_Paulo", "America/Los_Angeles"
VECTORS = [
    ("2012-07-09T14:45:00+0000", "UTC", "0/15 * * * *", "2012-07-09T15:00:00+0000"),
    ("2012-07-09T14:59:59+0000", "UTC", "0/15 * * * *", "2012-07-09T15:00:00+0000"),
    ("2012-07-09T15:45:00+0000", "UTC", "20-35/15 * * * *", "2012-07-09T16:20:00+0000"),
    ("2012-07-09T23:46:00+0000", "UTC", "*/15 * * * *", "2012-07-10T00:00:00+0000"),
    ("2012-07-09T23:35:51+0000", "UTC", "20-35/15 1/2 */2 * *", "2012-07-11T01:20:00+0000"),
    ("2012-07-09T23:35:51+0000", "UTC", "20-35/15 10-12 * * *", "2012-07-10T10:20:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 9 Apr-Oct ?", "2012-08-09T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 */5 Apr,Aug,Oct Mon", "2012-08-01T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 */5 Oct Mon", "2012-10-01T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 * Feb Mon", "2013-02-04T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 * Feb Mon/2", "2013-02-01T00:00:00+0000"),
    ("2012-12-31T23:59:45+0000", "UTC", "* * * * *", "2013-01-01T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 29 Feb ?", "2016-02-29T00:00:00+0000"),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 30 Feb ?", None),
    ("2012-07-09T23:35:00+0000", "UTC", "0 0 31 Apr ?", None),
    # Clocks go forward: 02:30 does not exist on 11 March 2012.
    ("2012-03-11T00:00:00-0500", NEW_YORK, "30 2 11 Mar ?", "2013-03-11T02:30:00-0400"),
    ("2012-03-11T00:00:00-0500", NEW_YORK, "0 * * * ?", "2012-03-11T01:00:00-0500"),
    ("2012-03-11T01:00:00-0500", NEW_YORK, "0 * * * ?", "2012-03-11T03:00:00-0400"),
    ("2012-03-11T03:00:00-0400", NEW_YORK, "0 * * * ?", "2012-03-11T04:00:00-0400"),
    ("2012-03-11T01:00:00-0500", NEW_YORK, "0 1 * * ?", "2012-03-12T01:00:00-0400"),
    ("2012-03-11T00:00:00-0500", NEW_YORK, "0 2 * * ?", "2012-03-12T02:00:00-0400"),
    # Clocks go back: 01:00 to 02:00 exists twice on 4 November 2012.
    ("2012-11-04T00:00:00-0400", NEW_YORK, "30 2 04 Nov ?", "2012-11-04T02:30:00-0500"),
    ("2012-11-04T01:45:00-0400", NEW_YORK, "30 1 04 Nov ?", "2012-11-04T01:30:00-0500"),
    ("2012-11-04T00:00:00-0400", NEW_YORK, "0 * * * ?", "2012-11-04T01:00:00-0400"),
    ("2012-11-04T01:00:00-0400", NEW_YORK, "0 * * * ?", "2012-11-04T01:00:00-0500"),
    ("2012-11-04T01:00:00-0500", NEW_YORK, "0 * * * ?", "2012-11-04T02:00:00-0500"),
    ("2012-11-04T00:00:00-0400", NEW_YORK, "0 1 * * ?", "2012-11-04T01:00:00-0400"),
    ("2012-11-04T01:00:00-0400", NEW_YORK, "0 1 * * ?", "2012-11-04T01:00:00-0500"),
    ("2012-11-04T01:00:00-0500", NEW_YORK, "0 1 * * ?", "2012-11-05T01:00:00-0500"),
    ("2012-11-04T00:00:00-0400", NEW_YORK, "0 2 * * ?", "2012-11-04T02:00:00-0500"),
    ("2012-11-04T00:00:00-0400", NEW_YORK, "0 3 3 * ?", "2012-12-03T03:00:00-0500"),
    # Midnight does not exist on the day the clocks go forward.
    ("2018-10-17T05:00:00-0400", SAO_PAULO, "0 9 10 * ?", "2018-11-10T09:00:00-0200"),
    ("2018-02-14T05:00:00-0500", SAO_PAULO, "0 9 22 * ?", "2018-02-22T09:00:00-0300"),
    # The documentation's tables.
    ("2020-03-08T00:00:00-0800", LOS_ANGELES, "59 1 * * *", "2020-03-08T01:59:00-0800"),
    ("2020-03-08T00:00:00-0800", LOS_ANGELES, "0 2 * * *", "2020-03-09T02:00:00-0700"),
    ("2020-11-01T01:59:00-0700", LOS_ANGELES, "59 1 * * *", "2020-11-01T01:59:00-0800"),
    ("2020-11-01T00:00:00-0700", LOS_ANGELES, "1 2 * * *", "2020-11-01T02:01:00-0800"),
    # Half an hour is skipped and repeated.
    ("2016-01-03T13:09:03+0530", "Asia/Kolkata", "14 14 * * *", "2016-01-03T14:14:00+0530"),
]


@pytest.mark.spec("CRON-2")
@pytest.mark.parametrize(("after", "zone", "text", "expected"), VECTORS)
def test_the_vectors_of_upstreams_library_hold(after: str, zone: str, text: str, expected: str | None) -> None:
    found = parse_schedule(text, zone).next(seconds(after))
    assert found == (None if expected is None else seconds(expected))
    assert parse_schedule(f"CRON_TZ={zone} {text}").next(seconds(after)) == found


@pytest.mark.spec("CRON-2")
def test_a_day_without_a_midnight_is_not_lost() -> None:
    """Upstream's library loses the whole Sunday on which Beirut skips midnight."""
    found = parse_schedule("0 9 * * sun", "Asia/Beirut").next(seconds("2024-03-29T00:00:00+0200"))
    assert shown(found, "Asia/Beirut") == "2024-03-31T09:00:00+0300"


@pytest.mark.spec("CRON-1")
@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("0 0 * JAN-Mar Sun", "0 0 * 1-3 0"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("1,,2 ? * * ?", "1,2 * * * *"),
    ],
)
def test_descriptors_names_and_short_forms_mean_the_fields_they_stand_for(text: str, same: str) -> None:
    assert parse_schedule(text) == parse_schedule(same)


@pytest.mark.spec("CRON-1")
def test_every_counts_from_its_anchor_whenever_it_is_asked() -> None:
    every = parse_schedule("@every 1h30m", anchor=1000.0)
    assert [every.next(after) for after in (0, 1000, 1001, 6399, 6400)] == [6400, 6400, 6400, 6400, 11800]
    assert parse_schedule("@every 1ms").next(10.5) == 11


@pytest.mark.spec("CRON-1", "VAL-11")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec string"),
        ("xyz", "expected exactly 5 fields, found 1: [xyz]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 0 * * *", "end of range (60) above maximum (59): 60"),
        ("0 60 * * *", "end of range (60) above maximum (23): 60"),
        ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
        ("0 0 * * XYZ", 'failed to parse int from XYZ: strconv.Atoi: parsing "XYZ": invalid syntax'),
        ("15/0 * * * *", "step of range should be a positive number: 15/0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        (", * * * *", "no value in the field ','"),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        ("@every", "unrecognized descriptor: @every"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
        ("TZ=Mars/Olympus * * * * *", "provided bad location Mars/Olympus: unknown time zone Mars/Olympus"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_why(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(text)
    assert str(caught.value) == message


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(ScheduleError, match="unknown time zone Mars/Olympus"):
        parse_schedule("* * * * *", "Mars/Olympus")


# ------------------------------------------------------------------- an oracle that knows no cron: one minute at a time


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: list[str] | None = None) -> tuple[str, set[int], bool]:
    """A field's text, its values, and whether it is left open."""
    if draw(st.integers(0, 2)) == 0:
        return "*", set(range(low, high + 1)), True
    parts, values, star = [], set(), False
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 7))
        word = names[first - low].title() if names and draw(st.booleans()) else f"{first:02d}"
        form = draw(st.integers(0, 4))
        text, span = [
            (word, range(first, first + 1)),
            (f"{word}-{last}", range(first, last + 1)),
            (f"{word}-{last}/{step}", range(first, last + 1, step)),
            (f"{word}/{step}", range(first, high + 1, step)),
            (f"*/{step}", range(low, high + 1, step)),
        ][form]
        star = star or (form == 4 and step == 1)
        parts.append(text)
        values |= set(span)
    return ",".join(parts), values, star


TURNS = [  # a day on which some of the zones change their clocks, or nothing happens
    "2024-03-10", "2024-11-03", "2024-03-31", "2024-10-27", "2024-04-07", "2024-10-06", "2024-04-26", "2024-10-31",
    "2018-11-04", "2018-02-18", "2011-12-30", "2024-02-29", "2023-12-31", "2024-07-01", "2022-03-22", "2024-09-08",
]  # fmt: skip


@pytest.mark.spec("CRON-1", "CRON-2")
@settings(max_examples=250, deadline=None)
@given(
    parts=st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12, MONTHS), fields(0, 6, WEEKDAYS)),
    zone=st.sampled_from(ZONES),
    turn=st.sampled_from(TURNS),
    shift=st.integers(-26 * 3600, 26 * 3600),
)
def test_the_next_moment_is_the_first_at_which_the_clock_reads_one_of_the_minutes(
    parts: tuple[tuple[str, set[int], bool], ...], zone: str, turn: str, shift: int
) -> None:
    minute, hour, day, month, weekday = parts
    text = " ".join(part[0] for part in parts)
    after = seconds(f"{turn}T00:00:00+00:00") + shift
    where = ZoneInfo(zone)

    def fires(at: float) -> bool:
        there = datetime.fromtimestamp(at, UTC).astimezone(where)
        by_date, by_weekday = there.day in day[1], (there.weekday() + 1) % 7 in weekday[1]
        days_fit = (by_date and by_weekday) if day[2] or weekday[2] else (by_date or by_weekday)
        return there.minute in minute[1] and there.hour in hour[1] and there.month in month[1] and days_fit

    found = parse_schedule(text, zone).next(after)
    until = after + timedelta(days=3).total_seconds()
    at = (after // 60 + 1) * 60
    while at <= until and not fires(at):
        at += 60
    if at <= until:
        assert shown(found, zone) == shown(at, zone)
    else:
        assert found is None or (found > until and fires(found))


@pytest.mark.spec("CRON-1")
@given(text=st.text(max_size=30) | st.from_regex(r"([0-9*/,?@a-z-]{1,6} ){4}[0-9*/,?-]{1,6}", fullmatch=True))
def test_any_text_is_a_schedule_or_an_error_that_says_why(text: str) -> None:
    try:
        found = parse_schedule(text)
    except ScheduleError as error:
        said = str(error)
    else:
        at = found.next(0.0)
        said = "fires" if at is None or at > 0 else ""
    assert said
