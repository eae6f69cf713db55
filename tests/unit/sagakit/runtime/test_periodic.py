"""Passes in a thread of their own: again at once where more is left, less often while they fail."""

import itertools
import threading
import time

import psycopg

from sagakit.runtime.periodic import Periodic
from tests.support.wait import eventually


class Passes:
    """Counts passes. The first ones fail, or leave more to do."""

    def __init__(self, *, failing: int = 0, leaving_more: int = 0, error: Exception | None = None) -> None:
        self.times: list[float] = []
        self._failing, self._leaving_more = failing, leaving_more
        self._error = error or psycopg.OperationalError("away")

    def __call__(self) -> bool:
        self.times.append(time.monotonic())
        if len(self.times) <= self._failing:
            raise self._error
        return len(self.times) <= self._leaving_more

    def must_be(self, count: int) -> None:
        assert len(self.times) >= count


def run(passes: Passes, count: int, *, interval: float, longest: float = 5.0) -> list[float]:
    """Run until there were ``count`` passes and return when they were."""
    periodic = Periodic("test", passes, interval_seconds=interval, longest_backoff_seconds=longest)
    periodic.start()
    eventually(lambda: passes.must_be(count))
    periodic.stop()
    return passes.times


def test_passes_go_on_at_once_while_more_is_left() -> None:
    times = run(Passes(leaving_more=5), 6, interval=0.2)
    assert times[5] - times[0] < 0.2


def test_passes_go_on_after_failures_and_the_pauses_grow_meanwhile() -> None:
    times = run(Passes(failing=3), 5, interval=0.02)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.04
    assert gaps[1] >= 0.08
    assert gaps[2] >= 0.16


def test_however_often_passes_fail_the_pauses_stay_below_the_longest() -> None:
    times = run(Passes(failing=8), 9, interval=0.01, longest=0.1)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 0.5, "the eighth would be 2.56"


def test_an_error_of_its_own_ends_no_thread() -> None:
    run(Passes(failing=1, error=KeyError("a bug")), 3, interval=0.01)


def test_stopping_ends_the_pass_in_hand() -> None:
    began, ended = threading.Event(), threading.Event()

    def long() -> bool:
        began.set()
        time.sleep(0.2)
        ended.set()
        return True

    periodic = Periodic("test", long, interval_seconds=0.01)
    periodic.start()
    assert began.wait(5)
    periodic.stop()
    assert ended.is_set()
