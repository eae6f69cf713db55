"""Pacing: a crowd is taken in large groups, and nobody waits for those who never come. Time is simulated."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any

import pytest

from sagakit.outbox.group_commit import GroupCommit
from sagakit.outbox.pacing import Pacing

TRIP_SECONDS = 0.005


class Simulated(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody sleeps, and then at once."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._now = 0.0
        self._selector: Any
        self._selector.select = self._pass_time

    def time(self) -> float:
        return self._now

    def _pass_time(self, timeout: float | None) -> list[Any]:
        self._now += timeout or 0.0
        return []


class Trips:
    """Notes when each group began, in milliseconds, and its size."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, int]] = []
        self.take: GroupCommit[int, int] = GroupCommit("test", self._trip, largest=100, pacing=Pacing())

    async def _trip(self, items: Sequence[int]) -> Sequence[int]:
        self.groups.append((round(asyncio.get_running_loop().time() * 1000), len(items)))
        await asyncio.sleep(TRIP_SECONDS)
        return items

    async def caller(self, times: int) -> None:
        """Call, and again half a millisecond after each answer."""
        for _ in range(times):
            await self.take(1)
            await asyncio.sleep(0.0005)

    async def arrivals(self, count: int, every_seconds: float) -> None:
        """Call ``count`` times, whether the calls before are answered or not."""
        tasks = []
        for _ in range(count):
            tasks.append(asyncio.create_task(self.take(1)))
            await asyncio.sleep(every_seconds)
        await asyncio.gather(*tasks)


def run(act: Callable[[Trips], Coroutine[Any, Any, object]]) -> list[tuple[int, int]]:
    """Return the groups that ``act`` makes."""
    trips = Trips()
    loop = Simulated()
    try:
        loop.run_until_complete(act(trips))
    finally:
        loop.close()
    return trips.groups


async def crowd(trips: Trips, size: int) -> None:
    await asyncio.gather(*(trips.take(1) for _ in range(size)))


@pytest.mark.parametrize("callers", [1, 2, 15])
def test_few_callers_never_wait(callers: int) -> None:
    async def act(trips: Trips) -> None:
        await asyncio.gather(*(trips.caller(4) for _ in range(callers)))

    groups = run(act)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(groups)]
    assert max(gaps) <= 6, "a trip of 5 ms and half a millisecond until the next call"


def test_arrivals_after_a_crowd_share_a_group_instead_of_making_one_a_trip() -> None:
    async def act(trips: Trips) -> None:
        await crowd(trips, 40)
        await trips.arrivals(200, 0.001)

    first, *others = run(act)
    assert first == (0, 40)
    assert [began for began, _ in others[:2]] == [40, 80]
    assert [size for _, size in others[:2]] == pytest.approx([35, 40], abs=2)


def test_nobody_waits_where_fewer_come_than_four_hundred_a_second() -> None:
    async def act(trips: Trips) -> None:
        await crowd(trips, 40)
        await trips.arrivals(100, 0.0026)

    sizes = [size for _, size in run(act)]
    assert sizes[1] < 16, "after the crowd there is one pause"
    assert max(sizes[2:]) <= 2, "then one trip is followed by the next"


def test_callers_who_are_all_back_wait_for_nobody_else() -> None:
    async def act(trips: Trips) -> None:
        await asyncio.gather(*(trips.caller(3) for _ in range(64)))

    groups = run(act)
    assert [size for _, size in groups] == [64, 64, 64]
    assert groups[-1][0] < 2 * (TRIP_SECONDS * 1000 + 5)


def test_a_crowd_that_does_not_come_back_holds_the_others_up_for_40_ms_at_most() -> None:
    async def act(trips: Trips) -> None:
        await crowd(trips, 90)
        await trips.take(1)

    assert run(act) == [(0, 90), (40, 1)]


def test_a_full_group_begins_at_once() -> None:
    async def act(trips: Trips) -> None:
        await crowd(trips, 90)
        await crowd(trips, 100)

    assert run(act) == [(0, 90), (5, 100)]


def test_what_comes_long_after_a_crowd_is_taken_at_once() -> None:
    async def act(trips: Trips) -> None:
        await crowd(trips, 90)
        await asyncio.sleep(1)
        await trips.take(1)

    assert run(act)[1] == (1005, 1)
