"""Where a consumer begins to read a partition, by the committed and the stored offset."""

from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from structlog.testing import capture_logs

from sagakit.offsets.starting_points import Start, starting_points
from sagakit.offsets.stored_offsets import MARK

PLACE = ("product-decreased", 3)
END = 100


class Broker:
    """Returns a partition's committed offset, its beginning and its end."""

    def __init__(self, offset: int, metadata: str, begin: int) -> None:
        self._offset, self._metadata, self._begin = offset, metadata, begin

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout
        return [TopicPartition(one.topic, one.partition, self._offset, self._metadata) for one in partitions]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout
        assert (partition.topic, partition.partition) == PLACE
        return self._begin, END


@pytest.mark.parametrize(
    ("broker", "stored", "start"),
    [
        (Broker(40, MARK, 0), 40, Start(40, 40, None)),
        (Broker(40, MARK, 0), 50, Start(40, 50, None)),
        (Broker(40, "", 0), 30, Start(40, 30, None)),
        (Broker(-1001, "", 0), None, Start(OFFSET_BEGINNING, None, None)),
        (Broker(40, MARK, 10), 30, Start(30, 30, 40)),
        (Broker(40, MARK, 35), 30, Start(35, 30, 40)),
        (Broker(40, MARK, 0), None, Start(0, None, 40)),
        (Broker(END + 1, MARK, 0), 30, Start(OFFSET_BEGINNING, 30, None)),
    ],
    ids=["the same", "more", "less, by Kafka's tools", "new", "less", "less, and deleted", "nothing", "made anew"],
)
def test_it_is_where_the_group_is_unless_the_database_has_less(
    broker: Broker, stored: int | None, start: Start
) -> None:
    with capture_logs():
        found = starting_points(cast("Consumer", broker), [PLACE], {} if stored is None else {PLACE: stored})
    assert found == {PLACE: start}
