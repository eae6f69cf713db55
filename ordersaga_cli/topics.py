"""``ordersaga topics``: how many messages the topics hold, and how far behind each group is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from ordersaga import messages

from ordersaga_cli import show
from ordersaga_cli.clients import kafka_client
from ordersaga_cli.line import Command, Failed, json_option
from ordersaga_cli.places import KAFKA, address_option
from ordersaga_cli.table import Column, print_table
from sagakit.offsets.topic_lags import topic_lags

_SECONDS = 10.0


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
    print_table(
        (Column("topic", folds=True), Column("partitions", 1), "messages", Column("group", folds=True), "lag"), rows
    )


def _look(admin: AdminClient, *, every: bool) -> list[dict[str, Any]]:
    ours = {record.TOPIC for record in vars(messages).values() if hasattr(record, "TOPIC")}
    return [
        {
            "topic": one.topic,
            "partitions": one.partitions,
            "messages": one.messages,
            "groups": [{"group": group, "lag": lag} for group, lag in one.groups.items()],
        }
        for one in topic_lags(admin, lambda name: every or name in ours or name.endswith(".dlq"), _SECONDS)
    ]


@contextmanager
def _failing_in_words(kafka: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Failed(f"Kafka cannot be reached at {kafka} ({error.args[0].str()}); {KAFKA.how_to_set()}") from error
