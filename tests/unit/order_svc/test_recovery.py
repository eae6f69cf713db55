"""While orders may be missing nothing relies on them, and ids that may have been given out are not given again."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from chassis import rereading, stored_offsets
from chassis.errors import Unavailable
from chassis.pipeline import Transaction
from order_svc import store
from order_svc.recovery import Recovery

T = TypeVar("T")
TX = cast("Transaction", None)


class Histories:
    """A database that nothing is in, and the number of the history that it tells."""

    def __init__(self) -> None:
        self.timelines = SimpleNamespace(number=0, look=lambda _: None)

    def transact(self, function: Callable[[Transaction], T]) -> T:
        return function(TX)


@pytest.fixture
def database() -> Histories:
    return Histories()


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The gaps that are left between ids; nothing was ever said in Kafka."""
    left: list[int] = []
    monkeypatch.setattr(rereading, "reader", lambda _: None)
    monkeypatch.setattr(rereading, "ends", lambda *_: {})
    monkeypatch.setattr(rereading, "between", lambda *_: iter(()))
    monkeypatch.setattr(stored_offsets, "read", lambda _: {})
    monkeypatch.setattr(store, "last_number", lambda _: 7)
    monkeypatch.setattr(store, "number_on", lambda _, *, behind, gap: left.append(behind + gap))
    return left


@pytest.fixture
def found(database: Histories, gaps: list[int]) -> Recovery:
    assert gaps == []
    nobody: Any = None  # there is nothing to decode
    kept: Any = database
    return Recovery(kept, nobody, {}, announce_after_seconds=60.0)


def test_until_it_is_whole_nothing_is_handled_nor_stored(database: Histories, found: Recovery) -> None:
    handle = found.guarding(lambda _, __: [])
    for number in range(2):
        database.timelines.number = number
        with pytest.raises(Unavailable, match="may have gone back"):
            found.must_be_whole()
        with pytest.raises(Unavailable, match="may have gone back"):
            handle([], TX)
        found.recover()
        found.must_be_whole()
        assert handle([], TX) == []


def test_a_database_that_went_back_leaves_out_ids_that_kafka_may_not_have_been_told_of(
    database: Histories, found: Recovery, gaps: list[int]
) -> None:
    found.recover()
    assert gaps == [], "it is found whole when the service starts"
    database.timelines.number = 1
    found.recover()
    found.recover()
    assert len(gaps) == 1
    assert gaps[0] >= 1000, "several groups of orders are stored before Kafka is told of the first"
