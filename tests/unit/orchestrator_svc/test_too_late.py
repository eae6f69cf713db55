"""A cancel that came too late once is not obeyed where it is read again before what it came behind."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest
from ordersaga.messages import CancelDeliveryCommand, DecreaseProductCommand, OrderCancelRequested, OrderCreated

from orchestrator_svc.order_saga import ORDER_SAGA, order_in
from sagakit.messages import Message
from sagakit.orchestrator.engine import SagaEngine
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.records import Record
from sagakit.testing.world.database import Database, MemoryTransaction
from sagakit.testing.world.sagas import MemorySagaStore
from tests.chaos.simulation.stores import in_memory

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANCEL = OrderCancelRequested(
    order_id=7, user_id=1, product_id=1, quantity=1, price=1, address="", create_time=NOW, actor="ann", reason="",
    request_time=NOW,
)  # fmt: skip


@pytest.mark.parametrize(("late", "command"), [({7}, DecreaseProductCommand), ({8}, CancelDeliveryCommand)])
def test_a_cancel_that_came_too_late_before_is_passed_over(late: set[int], command: type[Record]) -> None:
    asked: list[Sequence[Record]] = []

    def too_late(cancels: Sequence[Record], _: Transaction) -> Collection[int]:
        asked.append(cancels)
        return late

    records: list[Record] = [order_in(CANCEL), CANCEL]
    messages = [Message(record, record.TOPIC, 0, at, f"m{at}", None) for at, record in enumerate(records)]
    with in_memory():
        engine = SagaEngine(ORDER_SAGA, MemorySagaStore(OrderCreated), too_late)
        (outgoing,) = engine.handle(messages, cast("Pipeline", MemoryTransaction(Database(), NOW)))
    assert isinstance(outgoing.record, command)
    assert asked == [[CANCEL]]
