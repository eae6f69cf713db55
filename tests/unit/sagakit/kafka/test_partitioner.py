"""The partition of a message: the same as its neighbours', and always the same."""

import pytest

from sagakit.kafka.partitioner import ANYWHERE, Partitioner


@pytest.fixture
def partitioner() -> Partitioner:
    partitioner = Partitioner()
    partitioner.learn({"six": 6, "one": 1})
    return partitioner


def of(partitioner: Partitioner, topic: str, *ids: int) -> list[int]:
    return [partitioner.of(topic, str(one).encode()) for one in ids]


def test_neighbours_share_a_partition_and_the_next_ones_have_the_next(partitioner: Partitioner) -> None:
    assert set(of(partitioner, "six", *range(128, 256))) == {1}
    assert of(partitioner, "six", 127, 256, 5 * 128, 6 * 128) == [0, 2, 5, 0]


def test_ids_fill_all_partitions_evenly(partitioner: Partitioner) -> None:
    placed = of(partitioner, "six", *range(6 * 128 * 10))
    assert {placed.count(number) for number in range(6)} == {1280}


def test_topics_with_as_many_partitions_are_filled_alike(partitioner: Partitioner) -> None:
    partitioner.learn({"six": 6, "others": 6})
    ids = (1, 1000, 123_456_789, 2**63 - 1)
    assert of(partitioner, "six", *ids) == of(partitioner, "others", *ids)


def test_a_topic_with_one_partition_has_all(partitioner: Partitioner) -> None:
    assert set(of(partitioner, "one", 1, 1000, 2**63 - 1)) == {0}


@pytest.mark.parametrize("key", [None, b"", b"-1", b"1.5", b"order-created-0-7", b"\xff", b"9" * 20, b"9" * 10_000])
def test_what_is_no_id_goes_anywhere(partitioner: Partitioner, key: bytes | None) -> None:
    assert partitioner.of("six", key) == ANYWHERE


def test_on_a_topic_not_heard_of_an_id_goes_anywhere(partitioner: Partitioner) -> None:
    assert partitioner.of("later", b"7") == ANYWHERE
    partitioner.learn({})
    assert partitioner.of("six", b"7") == ANYWHERE
