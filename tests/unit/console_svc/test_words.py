"""Times, durations and numbers as a person reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from console_svc import words

SPANS = {
    0.0: "0 ms", 0.034: "34 ms", 0.9994: "999 ms", 1.2: "1 s", 59.6: "1 min", 200.0: "3 min 20 s", 3600.0: "1 h",
    7_500.0: "2 h 5 min", 187_200.0: "2 d 4 h", 86_460.0: "1 d", -12.0: "12 s",
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "said"), SPANS.items(), ids=map(str, SPANS))
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


def test_a_moment_is_so_long_ago_or_still_to_come() -> None:
    now = datetime.now(UTC)
    assert words.relative(now - timedelta(seconds=12)) == "12 s ago"
    assert words.relative(now + timedelta(minutes=3, seconds=0.4)) == "in 3 min"
    assert words.relative(now) == "just now"


def test_a_clock_s_time_is_that_of_the_zone_that_was_chosen() -> None:
    moment = datetime(2026, 7, 1, 12, 0, 0, 5_000, tzinfo=UTC)
    assert words.absolute(moment) == "2026-07-01 12:00:00.005 UTC"
    before = words.ZONE.set(words.zone_named("Europe/Vienna"))
    assert words.absolute(moment) == "2026-07-01 14:00:00.005 CEST"
    words.ZONE.reset(before)


@pytest.mark.parametrize("name", ["", "Nowhere/Else", "../../etc/passwd", "\x00"])
def test_a_zone_that_does_not_exist_is_utc(name: str) -> None:
    assert words.zone_named(name) is UTC


def test_numbers_are_counted() -> None:
    assert words.plural(1, "saga") == "1 saga"
    assert words.plural(2, "saga is stuck", "sagas are stuck") == "2 sagas are stuck"
    assert words.thousands(1_234_567) == "1\u202f234\u202f567"


def test_a_filter_s_age_is_a_number_with_its_unit() -> None:
    assert words.age("90s") == timedelta(seconds=90)
    assert words.age("2h") == timedelta(hours=2)
    assert [words.age(text) for text in ("", "h", "-1h", "1y", "9999999d", "1.5h")] == [None] * 6


def test_a_moment_that_no_clock_can_show_is_shown_as_it_is_written() -> None:
    for text in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "yesterday"):
        assert words.moment(text) == text
