"""How many messages topics hold, and how far behind each consumer group is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # it has no annotations
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call] # it has no annotations
_Place = tuple[str, int]


@dataclass(frozen=True)
class TopicLag:
    """One topic."""

    topic: str
    partitions: int
    messages: int
    """How many it holds."""
    groups: Mapping[str, int]
    """How many messages each group that reads it has not handled yet."""
    end: int
    """How many messages were ever written to it: it grows with each."""


def topic_lags(admin: AdminClient, wanted: Callable[[str], bool], seconds: float) -> list[TopicLag]:
    """Return the topics whose names are ``wanted``, by name; each request may take ``seconds``.

    Raises:
        KafkaException: Kafka cannot be reached.
    """
    partitions = {
        name: sorted(topic.partitions)
        for name, topic in admin.list_topics(timeout=seconds).topics.items()
        if wanted(name)
    }
    places = [(name, number) for name, numbers in partitions.items() for number in numbers]
    first, end = _offsets(admin, places, _EARLIEST, seconds), _offsets(admin, places, _LATEST, seconds)
    committed = _committed(admin, seconds)
    return [
        TopicLag(
            topic=name,
            partitions=len(numbers),
            messages=sum(end[name, number] - first[name, number] for number in numbers),
            groups={
                group: sum(
                    max(0, end[name, number] - max(reached.get((name, number), 0), first[name, number]))
                    for number in numbers
                )
                for group, reached in sorted(committed.items())
                if any((name, number) in reached for number in numbers)
            },
            end=sum(end[name, number] for number in numbers),
        )
        for name, numbers in sorted(partitions.items())
    ]


def _offsets(admin: AdminClient, places: list[_Place], which: OffsetSpec, seconds: float) -> dict[_Place, int]:
    asked = admin.list_offsets({TopicPartition(*place): which for place in places}, request_timeout=seconds)
    return {(place.topic, place.partition): future.result().offset for place, future in asked.items()}


def _committed(admin: AdminClient, seconds: float) -> dict[str, dict[_Place, int]]:
    """Return the committed offsets of every group, by topic and partition."""
    groups = [group.group_id for group in admin.list_consumer_groups(request_timeout=seconds).result().valid]
    found: dict[str, dict[_Place, int]] = {}
    for group in groups:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=seconds)
        offsets = asked[group].result().topic_partitions or []
        found[group] = {(one.topic, one.partition): one.offset for one in offsets if one.offset >= 0}
    return found
