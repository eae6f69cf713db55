"""Rows that fail by a fault of their own are left out for a while, and the others are done."""

import time
from contextlib import suppress

import psycopg
import pytest
from structlog.testing import capture_logs

from sagakit.runtime.set_aside import Claim, SetAside

BUG = ValueError("a bug")


class Table:
    """Rows that are due, some of which fail."""

    def __init__(self, rows: int, *bad: int, error: Exception = BUG) -> None:
        self.due, self.bad, self._error = list(range(rows)), set(bad), error
        self.tries = 0

    def do(self, claim: Claim) -> list[int]:
        self.tries += 1
        claim.ids = [row for row in self.due if row not in claim.set_aside][: claim.limit]
        if self.bad & set(claim.ids):
            raise self._error
        self.due = [row for row in self.due if row not in claim.ids]
        return list(claim.ids)


def work_off(rows: SetAside, table: Table) -> None:
    while rows.work(table.do):
        pass


def pass_a_minute(monkeypatch: pytest.MonkeyPatch, seconds: float = 61) -> None:
    later = time.monotonic() + seconds
    monkeypatch.setattr("sagakit.runtime.set_aside.time.monotonic", lambda: later)


def test_what_is_due_is_done_at_once() -> None:
    table = Table(100)
    assert SetAside("row", 100).work(table.do) == list(range(100))
    assert table.tries == 1


def test_those_that_fail_are_set_aside_and_all_others_are_done() -> None:
    table, rows = Table(100, 0, 41, 99), SetAside("row", 100)
    work_off(rows, table)
    assert table.due == rows.ids == [0, 41, 99]


def test_those_that_are_set_aside_are_tried_again_once_a_minute_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = Table(10, 5), SetAside("row", 10)
    work_off(rows, table)
    table.bad.clear()
    assert rows.work(table.do) == []
    pass_a_minute(monkeypatch)
    assert rows.work(table.do) == [5]


def test_what_passes_by_itself_is_nobodys_fault() -> None:
    table, rows = Table(10, 5, error=psycopg.OperationalError("away")), SetAside("row", 10)
    with pytest.raises(psycopg.OperationalError):
        rows.work(table.do)
    assert (table.tries, rows.ids) == (1, [])


def test_where_row_after_row_fails_the_pass_ends_and_all_is_done_once_that_is_mended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, rows = Table(100, *range(100)), SetAside("row", 100)
    with pytest.raises(ValueError, match="a bug"):
        rows.work(table.do)
    assert len(rows.ids) == 10
    table.bad.clear()
    pass_a_minute(monkeypatch)
    work_off(rows, table)
    assert table.due == []


def test_those_that_fail_again_and_again_are_left_out_for_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = Table(10, 5), SetAside("row", 10)
    work_off(rows, table)
    pass_a_minute(monkeypatch)
    assert rows.ids == []
    work_off(rows, table)
    pass_a_minute(monkeypatch)
    assert rows.ids == [5]
    pass_a_minute(monkeypatch, 60)
    assert rows.ids == []


def test_they_are_left_out_for_ten_minutes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("sagakit.runtime.set_aside.time.monotonic", lambda: now[0])
    table, rows = Table(10, 5), SetAside("row", 10)
    for _ in range(8):
        with capture_logs():
            work_off(rows, table)
        assert rows.ids == [5]
        now[0] += 601
        assert rows.ids == []


@pytest.mark.parametrize("bad", [50, 200])
def test_many_bad_rows_do_not_starve_the_good_ones_behind_them(monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    now = [1000.0]
    monkeypatch.setattr("sagakit.runtime.set_aside.time.monotonic", lambda: now[0])
    table, rows = Table(bad + 10, *range(bad)), SetAside("row", 100)
    for _ in range(100):
        now[0] += 5
        with suppress(ValueError), capture_logs():
            rows.work(table.do)
        if table.due == list(range(bad)):
            return
    pytest.fail(f"{len(table.due) - bad} good rows still wait")


def test_a_row_that_has_failed_for_weeks_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = Table(2, 1), SetAside("row", 2)
    for _ in range(1100):
        table.due = [0, 1]
        with capture_logs():
            work_off(rows, table)
        assert table.due == rows.ids == [1]
        pass_a_minute(monkeypatch, 601)


def test_a_row_that_is_set_aside_is_reported_with_the_reason() -> None:
    reported: list[tuple[int, str]] = []
    with capture_logs():
        work_off(SetAside("row", 10, lambda row, error: reported.append((row, error))), Table(10, 5))
    assert reported == [(5, "ValueError: a bug")]


def test_whoever_works_on_rows_is_told_which_failed_in_that_work() -> None:
    told: list[tuple[int, Exception]] = []
    table, rows = Table(10, 5), SetAside("row", 10)
    with capture_logs():
        while rows.work(table.do, lambda row, error: told.append((row, error))):
            pass
    assert told == [(5, BUG)]
