"""Followers are told what has changed; one who does not ask takes no memory, and learns that some was missed."""

import sys

import pytest

from sagakit.postgres import followers
from sagakit.postgres.followers import FollowerOfAll, FollowerOfOne, Recent

AT_ONCE = 1000


def told(recent: Recent, *following: FollowerOfAll, **changes: str) -> None:
    """Let ``following`` hear of changes, such as ``_7="news"``."""
    recent.note({int(one.removeprefix("_")): news for one, news in changes.items()})
    for follower in following:
        follower.note()


async def test_everyone_who_follows_everything_is_told_each_change_whenever_he_asks() -> None:
    recent = Recent()
    told(recent, _1="before anybody followed")
    one, other = FollowerOfAll(recent), FollowerOfAll(recent)
    told(recent, one, other, _7="first", _8="")
    assert await one.next(1) == {7: "first", 8: ""}
    told(recent, one, other, _7="second")
    assert await one.next(1) == {7: "second"}
    assert await other.next(1) == {7: "", 8: ""}, "both have come before he asked"
    assert await one.next(0.01) is None


async def test_what_is_much_is_told_bit_by_bit() -> None:
    recent = Recent()
    follower = FollowerOfAll(recent)
    recent.note(dict.fromkeys(range(2 * AT_ONCE + 1), ""))
    follower.note()
    found = [await follower.next(1) for _ in range(3)]
    assert [len(some or ()) for some in found] == [AT_ONCE, AT_ONCE, 1]
    assert sorted(one for some in found for one in some or ()) == list(range(2 * AT_ONCE + 1))
    assert await follower.next(0.01) is None


async def test_who_asks_too_late_is_told_that_he_missed_some_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "_MOST_CHANGES", 10)
    recent = Recent()
    late = FollowerOfAll(recent)
    for number in range(11):
        recent.note({number: ""})
    late.note()
    assert await late.next(1) is None
    for number in range(11, 21):
        recent.note({number: ""})
    late.note()
    assert await late.next(1) == dict.fromkeys(range(11, 21), ""), "as many as are kept"


async def test_a_follower_who_does_not_ask_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "_MOST_CHANGES", 100)
    recent = Recent()
    late = FollowerOfAll(recent)
    recent.note(dict.fromkeys(range(100), ""))
    before = sum(map(sys.getsizeof, (vars(late), vars(recent)["_changes"])))
    recent.note(dict.fromkeys(range(100_000), ""))
    late.note()
    assert sum(map(sys.getsizeof, (vars(late), vars(recent)["_changes"]))) == before


async def test_who_may_have_missed_something_is_told_so_before_anything_else() -> None:
    recent = Recent()
    everything, one = FollowerOfAll(recent), FollowerOfOne()
    told(recent, everything, _7="news")
    one.note(7, "news")
    for follower in (everything, one):
        follower.note_missed()
        assert await follower.next(1) is None
        assert await follower.next(0.01) is None, "he looks himself now"
    told(recent, everything, _8="")
    assert await everything.next(1) == {8: ""}
