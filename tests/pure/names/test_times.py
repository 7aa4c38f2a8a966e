"""Times and durations read and write as Go's."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import durations, timestamps


@given(st.integers(min_value=-62135596800, max_value=253402300799))
def test_a_written_time_reads_back_as_itself(seconds):
    assert timestamps.seconds(timestamps.rfc3339(seconds)) == seconds


@given(st.floats(min_value=0, max_value=4e9))
def test_a_time_is_written_in_whole_seconds_cut_not_rounded(seconds):
    assert timestamps.seconds(timestamps.rfc3339(seconds)) == math.floor(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2021-06-05T04:03:02Z", 1622865782),
        ("2021-06-05T06:03:02+02:00", 1622865782),
        ("2021-06-05T04:03:02.5Z", 1622865782.5),
    ],
)
def test_offsets_and_fractions_count(text, seconds):
    assert timestamps.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "2021", "2021-06-05T04:03:02", "2021-13-05T04:03:02Z", "yesterday"])
def test_a_time_without_a_place_on_the_clock_is_refused(text):
    with pytest.raises(ValueError, match="not an RFC 3339 time"):
        timestamps.seconds(text)


@pytest.mark.spec("1.9")
def test_the_letters_of_a_creation_timestamp_are_in_english_and_utc():
    written = {letter: timestamps.strftime(letter, 1622865782.25) for letter in timestamps.STRFTIME_LETTERS}
    assert written == {
        "B": "June", "b": "Jun", "m": "06", "A": "Saturday", "a": "Sat", "d": "05", "H": "04", "I": "04",
        "M": "03", "S": "02", "Y": "2021", "y": "21", "p": "AM", "Z": "UTC", "z": "+0000", "L": ".250",
    }  # fmt: skip
    names = timestamps.creation_variables("workflow.creationTimestamp", 1622865782)
    assert names["workflow.creationTimestamp"] == names["workflow.creationTimestamp.RFC3339"] == "2021-06-05T04:03:02Z"
    assert names["workflow.creationTimestamp.s"] == "1622865782"
    assert len(names) == 19


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("0s", 0), ("1m30s", 90), ("1h", 3600), ("-1.5h", -5400), ("250ms", 0.25), ("1us", 1e-6), ("+5s", 5),
        (".5s", 0.5), ("1.s", 1), ("1h1h", 7200),
    ],
)  # fmt: skip
def test_go_durations_are_read(text, seconds):
    assert durations.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("s", 'time: invalid duration "s"'),
        ("-", 'time: invalid duration "-"'),
        ("1h5", 'time: missing unit in duration "1h5"'),
        (".s", 'time: invalid duration ".s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_what_is_no_duration_is_refused_in_gos_words(text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        durations.parse_duration(text)


def test_bare_numbers_are_seconds_only_where_asked():
    assert durations.parse_duration_or_seconds("90") == 90
    assert durations.parse_duration_or_seconds("2m") == 120
    with pytest.raises(ValueError, match=r'^unable to parse x as a duration: time: invalid duration "x"$'):
        durations.parse_duration_or_seconds("x")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (1, "1s"), (90, "1m30s"), (3600, "1h0m0s"), (0.25, "250ms"), (1.5, "1.5s"), (-61, "-1m1s"),
        (1e-6, "1µs"), (1e-9, "1ns"), (3661.5, "1h1m1.5s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_go_prints_them(seconds, text):
    assert durations.format_duration(seconds) == text


@given(st.integers(min_value=-(10**17), max_value=10**17))
def test_a_written_duration_reads_back_as_itself(nanoseconds):
    assert durations.parse_nanoseconds(durations.format_nanoseconds(nanoseconds)) == nanoseconds
