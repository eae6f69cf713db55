"""What becomes of the last offsets, which no batch takes along."""

from types import SimpleNamespace
from typing import Any

from confluent_kafka import Message, TopicPartition

from sagakit.consumer.offset_keeper import OffsetKeeper
from sagakit.offsets.handled import Offsets

PLACE = ("product-decreased", 3)


def test_what_was_handled_last_is_stored_and_committed_at_the_end() -> None:
    offsets = Offsets()
    commits: list[list[int]] = []

    def commit(offsets: list[TopicPartition], *, asynchronous: bool) -> None:
        assert not asynchronous
        commits.append([one.offset for one in offsets])

    handling: Any = SimpleNamespace(store=lambda: offsets.stored(offsets.unstored()))
    consumer: Any = SimpleNamespace(commit=commit)
    offsets.add([Message(topic=PLACE[0], partition=PLACE[1], offset=40)])
    OffsetKeeper(offsets, handling).close(consumer, wait=True)
    assert commits == [[41]]
    assert offsets.unstored() == {}
