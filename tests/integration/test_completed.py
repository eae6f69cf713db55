"""Completed orders are found in Kafka, once the database of the sagas has forgotten it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ordersaga.messages import CompleteOrderCommand, OrderCancelRequested

from devstack.stack import Stack
from orchestrator_svc.completed import Completed
from sagakit.avro.codec import Codec
from sagakit.messages import Outgoing
from tests.support.registry import registry_client
from tests.support.scratch import Group, register, scratch_group

TX: Any = None
NOW = datetime.now(UTC)


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, partitions=3) as group:
        yield group


def cancel(order_id: int, created: datetime = NOW) -> OrderCancelRequested:
    return OrderCancelRequested(
        order_id=order_id, user_id=1, product_id=1, quantity=1, price=1, address="", create_time=created, actor="",
        reason="", request_time=NOW,
    )  # fmt: skip


def test_as_long_as_the_database_lacks_something_what_was_completed_is_looked_for(stack: Stack, group: Group) -> None:
    command = type("CompleteOrderCommand", (CompleteOrderCommand,), {"TOPIC": group.topic})
    missing = True
    lag: Any = SimpleNamespace(is_missing_now=lambda _: missing)
    with registry_client(stack.registry_url) as registry:
        register(registry, command)
        codec = Codec(registry, [command])
        codec.load()

        def complete(*orders: int) -> None:
            group.publish([codec.encode(Outgoing(command(order_id=order))) for order in orders])

        completed = Completed({"bootstrap.servers": stack.bootstrap}, codec, lag, group.topic)
        assert completed.among([cancel(1)], TX) == set()
        complete(1, 200)
        assert completed.among([cancel(1), cancel(2), cancel(200)], TX) == {1, 200}
        complete(2)
        assert completed.among([cancel(2, NOW - timedelta(days=1))], TX) == {2}
        missing = False
        assert completed.among([cancel(1), cancel(2)], TX) == set()
