"""How fast sagas end, by what the orchestrator's processes have counted."""

from math import inf

from console_svc.pace import Ended, Pace
from console_svc.pace_reader import ended_of

NOW = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


def counted(completed: int, compensated: int = 0, *, process: float = 1.0, slow: int = 0) -> Ended:
    """Return counts of which ``slow`` took a second at most, and all others a tenth."""
    return Ended(
        process,
        {
            "COMPLETED": {0.1: completed - slow, 1.0: completed, inf: completed},
            "COMPENSATED": {0.1: compensated, 1.0: compensated, inf: compensated},
        },
    )


def test_ends_of_the_last_minute_are_counted_and_older_ones_are_not() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(counted(7_000, 300))
    for _ in range(30):
        clock.time += 2
        pace.note(counted(7_000 + int(clock.time - NOW) * 2, 300 + int(clock.time - NOW) // 60))
    seen = pace.now()
    assert seen.completed == 2.0
    assert seen.compensated == 1 / 60
    assert (seen.times[-1], seen.done[-1]) == (NOW + 58, 2.0)
    clock.time += 61
    assert pace.now().completed == 0.0


def test_how_long_they_took_is_told_by_the_bucket_that_has_so_many() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(counted(0))
    clock.time += 2
    pace.note(counted(100, slow=6))
    seen = pace.now()
    assert (seen.median, seen.slowest) == (0.1, 1.0)


def test_where_nothing_ended_there_is_nothing_to_tell() -> None:
    seen = Pace(lambda: NOW).now()
    assert seen.median is None
    assert len(seen.times) == len(seen.done) == len(seen.undone)
    assert set(seen.done) == {None}


def test_replicas_behind_one_address_are_counted_each_by_itself() -> None:
    clock = Clock()
    pace = Pace(clock)
    for first, second in ((1_000, 50), (1_010, 50), (1_020, 70)):
        for ended in (counted(first), counted(second, process=2.0)):
            pace.note(ended)
        clock.time += 2
    assert round(pace.now().completed * 6) == 40


def test_what_ended_while_nobody_looked_is_not_told_as_the_pace_of_now() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(counted(0))
    clock.time += 3_600
    pace.note(counted(1_000_000))
    assert pace.now().completed == 0.0


def test_the_course_has_gaps_where_nobody_looked_and_zeros_where_nothing_ended() -> None:
    clock = Clock()
    pace = Pace(clock)
    for ended in (0, 8, 8, 8):
        pace.note(counted(ended))
        clock.time += 3  # a slot between two looks is none that nobody looked at
    clock.time += 48
    for ended in (100, 104):
        pace.note(counted(ended, process=2.0))
        clock.time += 2
    seen = pace.now()
    known = {int(at - NOW): done for at, done in zip(seen.times, seen.done, strict=True) if done is not None}
    assert known == {2: 4.0, 4: 0.0, 6: 0.0, 8: 0.0, 62: 2.0}
    assert [done is None for done in seen.done] == [undone is None for undone in seen.undone]


def test_the_counts_are_read_from_the_orchestrator_s_metrics() -> None:
    metrics = (
        "# TYPE sagakit_saga_seconds histogram\n"
        'sagakit_saga_seconds_bucket{le="0.01",status="COMPLETED"} 3.0\n'
        'sagakit_saga_seconds_bucket{le="+Inf",status="COMPLETED"} 4.0\n'
        'sagakit_saga_seconds_count{status="COMPLETED"} 4.0\n'
        "process_start_time_seconds 1.7e+09\n"
    )
    assert ended_of(metrics) == Ended(1.7e9, {"COMPLETED": {0.01: 3.0, inf: 4.0}})
