"""Group commit: calls that wait while one round trip is under way share the next one."""

import asyncio
from collections.abc import Mapping, Sequence

import psycopg
import pytest
from psycopg import errors

from sagakit.outbox.group_commit import GroupCommit
from sagakit.runtime import logs
from tests.support.lines import lines


class Trips:
    """Doubles numbers, one round trip at a time; odd ones are bad."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = asyncio.Event()
        self.breaks = False

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(items))
        await self.open.wait()
        if self.breaks:
            msg = "the round trip failed"
            raise ConnectionError(msg)
        return [ValueError(f"{item} is odd") if item % 2 else item * 2 for item in items]


@pytest.fixture
def trips() -> Trips:
    return Trips()


@pytest.fixture
def group(trips: Trips) -> GroupCommit[int, int]:
    return GroupCommit("test", trips, largest=3)


async def begin(group: GroupCommit[int, int], *items: int) -> list["asyncio.Task[int]"]:
    tasks = [asyncio.create_task(group(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_those_who_wait_share_the_next_trip(group: GroupCommit[int, int], trips: Trips) -> None:
    tasks = await begin(group, 2)
    tasks += await begin(group, 4, 6)
    trips.open.set()
    assert await asyncio.gather(*tasks) == [4, 8, 12]
    assert trips.groups == [[2], [4, 6]]


async def test_no_trip_takes_more_than_the_largest_group(group: GroupCommit[int, int], trips: Trips) -> None:
    trips.open.set()
    assert await asyncio.gather(*(group(2) for _ in range(7))) == [4] * 7
    assert max(map(len, trips.groups)) == 3


async def test_a_bad_one_fails_alone(group: GroupCommit[int, int], trips: Trips) -> None:
    trips.open.set()
    good, bad, other = await asyncio.gather(group(2), group(3), group(4), return_exceptions=True)
    assert (good, other) == (4, 8)
    assert isinstance(bad, ValueError)


async def test_what_one_item_makes_fail_fails_for_it_alone() -> None:
    async def trip(items: Sequence[int]) -> Sequence[int | Exception]:
        if 3 in items:
            raise ValueError("three brings the whole trip down")
        return items

    group: GroupCommit[int, int] = GroupCommit("test", trip, largest=10)
    two, three, four = await asyncio.gather(*map(group, (2, 3, 4)), return_exceptions=True)
    assert (two, four) == (2, 4)
    assert isinstance(three, ValueError)


async def test_a_trip_that_fails_fails_for_its_group_and_the_next_one_works(
    group: GroupCommit[int, int], trips: Trips
) -> None:
    trips.breaks = True
    trips.open.set()
    failed = await asyncio.gather(group(2), group(4), return_exceptions=True)
    assert [type(one) for one in failed] == [ConnectionError, ConnectionError]
    trips.breaks = False
    assert await group(2) == 4


async def test_a_list_is_answered_item_by_item_and_in_its_order(group: GroupCommit[int, int], trips: Trips) -> None:
    trips.open.set()
    two, three, four = await group.all([2, 3, 4])
    assert (two, four) == (4, 8)
    assert isinstance(three, ValueError)
    assert trips.groups == [[2, 3, 4]], "a list is one trip"


async def test_a_list_shares_trips_with_other_callers_and_may_take_several(
    group: GroupCommit[int, int], trips: Trips
) -> None:
    first = await begin(group, 2)
    many = asyncio.create_task(group.all([4, 6, 8, 10]))
    last = await begin(group, 12)
    trips.open.set()
    assert await many == [8, 12, 16, 20]
    assert await asyncio.gather(*first, *last) == [4, 24]
    assert trips.groups == [[2], [4, 6, 8], [10, 12]]


async def test_a_trip_that_fails_is_each_items_error_in_a_list(group: GroupCommit[int, int], trips: Trips) -> None:
    trips.breaks = True
    trips.open.set()
    assert [type(one) for one in await group.all([2, 4, 6, 8])] == [ConnectionError] * 4


class Locked:
    """Doubles numbers; the group fails by a lock, and so does each of ``held`` alone, by its own error."""

    def __init__(self, held: Mapping[int, Exception]) -> None:
        self.groups: list[list[int]] = []
        self._held = held
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(items))
        await self.open.wait()
        if len(items) > 1:
            raise errors.DeadlockDetected("the victim")
        if items[0] in self._held:
            raise self._held[items[0]]
        return [items[0] * 2]


async def test_one_that_waits_in_vain_for_a_lock_fails_alone() -> None:
    trips = Locked({3: errors.LockNotAvailable("it is held")})
    results = await GroupCommit("test", trips, largest=5).all([1, 2, 3, 4, 5])
    assert [results[0], results[1], results[3], results[4]] == [2, 4, 8, 10]
    assert isinstance(results[2], errors.LockNotAvailable)
    assert trips.groups == [[1, 2, 3, 4, 5], [1], [2], [3], [4], [5]]


async def test_where_one_after_the_other_waits_in_vain_the_rest_is_not_tried() -> None:
    trips = Locked({number: errors.LockNotAvailable(f"{number} is held") for number in range(2, 100)})
    results = await GroupCommit("test", trips, largest=100).all(range(1, 100))
    assert results[0] == 2
    assert {type(result) for result in results[1:]} == {errors.LockNotAvailable}
    assert trips.groups[1:] == [[1], [2], [3], [4]]


async def test_once_the_database_is_away_nobody_else_is_tried() -> None:
    trips = Locked({3: psycopg.OperationalError("the connection is lost")})
    results = await GroupCommit("test", trips, largest=500).all(range(500))
    assert results[:3] == [0, 2, 4]
    assert {type(result) for result in results[3:]} == {psycopg.OperationalError}
    assert trips.groups[1:] == [[0], [1], [2], [3]]


async def test_whoever_hangs_up_before_each_is_tried_alone_has_no_effect() -> None:
    trips = Locked({})
    trips.open.clear()
    first, second, third = await begin(GroupCommit("test", trips, largest=3), 1, 2, 3)
    second.cancel()
    trips.open.set()
    assert [await first, await third] == [2, 6]
    assert trips.groups == [[1, 2, 3], [1], [3]]


async def test_an_empty_list_costs_no_trip(group: GroupCommit[int, int], trips: Trips) -> None:
    trips.open.set()
    assert await group.all([]) == []
    assert await group(2) == 4
    assert trips.groups == [[2]]


async def test_whoever_hangs_up_with_a_list_has_no_effect_beyond_the_trip_under_way(
    group: GroupCommit[int, int], trips: Trips
) -> None:
    many = asyncio.create_task(group.all([2, 4, 6, 8, 10]))
    (other,) = await begin(group, 12)
    many.cancel()
    trips.open.set()
    assert await other == 24
    assert many.cancelled()
    assert trips.groups == [[2, 4, 6], [12]]


async def test_whoever_hangs_up_before_the_trip_has_no_effect(group: GroupCommit[int, int], trips: Trips) -> None:
    (first,) = await begin(group, 2)
    (second, third) = await begin(group, 4, 6)
    second.cancel()
    trips.open.set()
    assert [await first, await third] == [4, 12]
    assert trips.groups == [[2], [6]]


async def test_whoever_hangs_up_during_the_trip_hurts_nobody_else(group: GroupCommit[int, int], trips: Trips) -> None:
    tasks = await begin(group, 2)
    tasks += await begin(group, 4)
    tasks[0].cancel()
    trips.open.set()
    assert await tasks[1] == 8


async def test_a_group_of_many_calls_does_not_speak_in_the_name_of_the_first() -> None:
    async def run(items: Sequence[int]) -> Sequence[int | Exception]:
        logs.logger("test").info("the group")
        return list(items)

    logs.speak_of(lambda _: {"method": "First"})
    with lines() as said:
        await GroupCommit("test", run, largest=3)(1)
        logs.logger("test").info("the call")
    logs.speak_of(None)
    assert [one.get("method") for one in said] == [None, "First"]
