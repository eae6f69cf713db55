"""``ordersaga topics``: how many messages the topics hold, and how far behind each group is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from ordersaga import messages

from ordersaga_cli import show
from ordersaga_cli.clients import kafka_client
from ordersaga_cli.line import Command, Failed, json_option
from ordersaga_cli.places import KAFKA, address_option

_SECONDS = 10.0
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # it has no annotations
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call] # it has no annotations
_Place = tuple[str, int]


@click.command(
    cls=Command,
    examples=["ordersaga topics", "ordersaga topics --all --json"],
    then="a lag that grows means a service that is down or halted; `ordersaga dlq list` shows the dead letters.",
)
@click.option("--all", "every", is_flag=True, help="Other topics too, such as the registry's own.")
@json_option
@address_option(KAFKA)
def topics(*, every: bool, as_json: bool, kafka: str) -> None:
    """Topics: how many messages they hold, and each group's lag.

    The lag is how many messages a group has not handled yet.
    """
    with _failing_in_words(kafka):
        found = _look(AdminClient(kafka_client(kafka)), every=every)
    if as_json:
        show.document({"topics": found})
        return
    rows = [
        (topic["topic"], topic["partitions"], topic["messages"], group["group"], group["lag"])
        for topic in found
        for group in topic["groups"] or [{"group": "", "lag": ""}]
    ]
    show.table(("topic", "partitions", "messages", "group", "lag"), rows)


def _look(admin: AdminClient, *, every: bool) -> list[dict[str, Any]]:
    ours = {record.TOPIC for record in vars(messages).values() if hasattr(record, "TOPIC")}
    partitions = {
        name: sorted(topic.partitions)
        for name, topic in admin.list_topics(timeout=_SECONDS).topics.items()
        if every or name in ours or name.endswith(".dlq")
    }
    places = [(name, number) for name, numbers in partitions.items() for number in numbers]
    first, end = _offsets(admin, places, _EARLIEST), _offsets(admin, places, _LATEST)
    committed = _committed(admin)
    return [
        {
            "topic": name,
            "partitions": len(numbers),
            "messages": sum(end[name, number] - first[name, number] for number in numbers),
            "groups": [
                {
                    "group": group,
                    "lag": sum(
                        max(0, end[name, number] - max(reached.get((name, number), 0), first[name, number]))
                        for number in numbers
                    ),
                }
                for group, reached in sorted(committed.items())
                if any((name, number) in reached for number in numbers)
            ],
        }
        for name, numbers in sorted(partitions.items())
    ]


def _offsets(admin: AdminClient, places: list[_Place], which: OffsetSpec) -> dict[_Place, int]:
    asked = admin.list_offsets({TopicPartition(*place): which for place in places}, request_timeout=_SECONDS)
    return {(place.topic, place.partition): future.result().offset for place, future in asked.items()}


def _committed(admin: AdminClient) -> dict[str, dict[_Place, int]]:
    """Return the committed offsets of every group, by topic and partition."""
    groups = [group.group_id for group in admin.list_consumer_groups(request_timeout=_SECONDS).result().valid]
    found: dict[str, dict[_Place, int]] = {}
    for group in groups:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=_SECONDS)
        offsets = asked[group].result().topic_partitions or []
        found[group] = {(one.topic, one.partition): one.offset for one in offsets if one.offset >= 0}
    return found


@contextmanager
def _failing_in_words(kafka: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Failed(f"Kafka cannot be reached at {kafka} ({error.args[0].str()}); {KAFKA.how_to_set()}") from error
