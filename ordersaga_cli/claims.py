"""``ordersaga claim``: hand a consumer group over to another installation."""

import uuid

import click
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ordersaga_cli import show
from ordersaga_cli.clients import kafka_client
from ordersaga_cli.line import Command, Failed, ask_first, json_option, yes_option
from ordersaga_cli.places import KAFKA, address_option
from sagakit.errors import Unavailable
from sagakit.kafka import group_owner

_SECONDS = 10.0


@click.command(
    cls=Command,
    examples=["ordersaga claim order_svc 6f1c2f7e-58a5-4c0a-9d0b-0d6a3c1c2b11"],
    then="start the services of that installation.",
)
@click.argument("group")
@click.argument("installation", type=click.UUID)
@yes_option
@json_option
@address_option(KAFKA)
def claim(*, group: str, installation: uuid.UUID, yes: bool, as_json: bool, kafka: str) -> None:
    """Hand a consumer group over to another installation.

    A service refuses to start where its GROUP, named like the service, belongs to another INSTALLATION on this Kafka.
    Its log shows the id of its own installation. The group's messages and offsets stay as they are.
    """
    client = kafka_client(kafka)
    try:
        members = _members(AdminClient(client), group)
        owner = group_owner.owner_of(client, group)
        if members:
            raise Failed(f"{group} has {members} running: stop them first, they go on as installation {owner}")
        ask_first(f"Hand {group} over from installation {owner or 'nobody'} to {installation}?", yes=yes)
        group_owner.hand_over(client, group, str(installation))
    except (Unavailable, KafkaException) as error:
        raise Failed(f"{error}; {KAFKA.how_to_set()}") from error
    if as_json:
        show.document({"group": group, "installation": str(installation), "before": owner})
    else:
        click.echo(f"{group} belongs to installation {installation}")


def _members(admin: AdminClient, group: str) -> int:
    """Return how many members the group has now."""
    try:
        described = admin.describe_consumer_groups([group], request_timeout=_SECONDS)[group].result()
    except KafkaException as error:
        if error.args[0].name() == "GROUP_ID_NOT_FOUND":
            return 0
        raise
    return len(described.members)
