"""The saga engine on a real database: what it remembers of a saga never goes before what is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

import pytest
from ordersaga.messages import (
    CancelDeliveryCommand,
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    OrderCreated,
    ProductDecreased,
)

from devstack.stack import Stack
from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.errors import Poison
from sagakit.messages import Message
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.operators import Operators
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.records import Record
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status
from tests.support.scratch import database_of, migrated_database
from tests.unit.orchestrator_svc.messages import CREATED

NUMBERS = count(100)


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "orchestrator_svc"))
    yield database
    database.close()


class Counting(SagaStore):
    """A store that counts how often sagas were stored as they are remembered, in the hope that they still are so."""

    guesses = 0

    def save(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        loaded: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> None:
        self.guesses -= 1  # it calls `save_if`, and is no guess
        super().save(tx, changed, loaded, events)

    def save_if(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        known: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> Deferred[list[Row]]:
        self.guesses += 1
        return super().save_if(tx, changed, known, events)


class Process:
    """One orchestrator's process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Counting(OrderCreated)
        self._engine = SagaEngine(ORDER_SAGA, self.store)
        self.hears(order())  # from now on it knows what time it is there

    def hears(self, *records: Record) -> list[Record]:
        """Handle one batch; return the commands it brings about."""
        batch = [Message(record, record.TOPIC, 0, 0, f"message-{next(NUMBERS)}", None) for record in records]
        with self.database.pipeline() as pipeline:
            return [outgoing.record for outgoing in self._engine.handle(batch, pipeline)]

    def saga(self, order_id: int) -> Instance:
        with self.database.transaction() as tx:
            return self.store.get(tx, [order_id])[order_id]

    def history(self, order_id: int) -> list[EventType]:
        with self.database.transaction() as tx:
            return [event.type for event in self.store.history(tx, order_id, limit=100)]


@pytest.fixture
def process(database: Database) -> Process:
    return Process(database)


@pytest.fixture
def other(database: Database) -> Process:
    return Process(database)


def order() -> OrderCreated:
    return replace(CREATED, order_id=next(NUMBERS))


def decreased(order: OrderCreated) -> ProductDecreased:
    return ProductDecreased(order_id=order.order_id, success=True, reason=None)


def delivered(order: OrderCreated) -> DeliveryCreated:
    return DeliveryCreated(order_id=order.order_id, success=True, delivery_id=1, reason=None)


def decrease(order: OrderCreated) -> DecreaseProductCommand:
    return DecreaseProductCommand(
        order_id=order.order_id, product_id=order.product_id, quantity=order.quantity, price=order.price
    )


def deliver(order: OrderCreated) -> CreateDeliveryCommand:
    return CreateDeliveryCommand(order_id=order.order_id, user_id=order.user_id, address=order.address)


def complete(order: OrderCreated) -> CompleteOrderCommand:
    return CompleteOrderCommand(order_id=order.order_id)


FORWARD = [EventType.STARTED, EventType.STEP_DONE, EventType.STEP_DONE]


def test_sagas_go_on_to_their_end_in_the_process_that_began_them(process: Process) -> None:
    one, two = order(), order()
    assert process.hears(one, two) == [decrease(one), decrease(two)]
    assert process.hears(decreased(two), decreased(one)) == [deliver(two), deliver(one)]
    assert process.hears(delivered(one)) == [complete(one)]
    assert process.saga(one.order_id).status is Status.COMPLETED
    assert process.saga(two.order_id).step == "create-delivery"
    assert process.history(one.order_id) == FORWARD


def test_sagas_go_on_in_a_process_that_never_heard_of_them(process: Process, other: Process) -> None:
    one = order()
    process.hears(one)
    assert other.hears(decreased(one)) == [deliver(one)]
    assert process.hears(delivered(one)) == [complete(one)]
    assert process.history(one.order_id) == FORWARD


def test_a_start_that_came_before_is_only_answered_again(process: Process, other: Process) -> None:
    one, new = order(), order()
    process.hears(one)
    for each in (process, other):
        assert set(each.hears(one, new)) == {decrease(one), decrease(new)}
    assert process.history(one.order_id) == process.history(new.order_id) == [EventType.STARTED]


def test_a_start_and_its_reply_in_one_batch_are_both_taken(process: Process) -> None:
    one = order()
    assert process.hears(one, decreased(one)) == [deliver(one)]
    assert process.history(one.order_id) == FORWARD[:2]
    assert process.saga(one.order_id).version == 2


def test_a_repeated_reply_is_answered_by_what_is_stored_now(process: Process, other: Process) -> None:
    one = order()
    process.hears(one)
    process.hears(decreased(one))
    other.hears(delivered(one))
    assert process.hears(decreased(one)) == [complete(one)], "the delivery is no longer what is asked for"


def test_a_saga_that_somebody_else_has_changed_is_not_guessed_at_twice(process: Process, other: Process) -> None:
    """Each wrong guess is a round trip for nothing."""
    one = order()
    process.hears(one)
    other.hears(decreased(one))
    assert process.hears(decreased(one)) == process.hears(decreased(one)) == [deliver(one)]
    assert process.store.guesses == 2, "its start, and the first reply"


def test_what_an_operator_had_undone_is_not_taken_further(process: Process) -> None:
    one, bystander = order(), order()
    process.hears(one, bystander)
    with process.database.transaction() as tx:
        Operators(ORDER_SAGA, process.store).cancel(tx, Filter(ids=[one.order_id]), "operator: no", limit=1)
    undo = CancelDeliveryCommand(order_id=one.order_id, user_id=one.user_id, address=one.address)
    assert set(process.hears(decreased(one), decreased(bystander))) == {undo, deliver(bystander)}
    assert process.saga(one.order_id).status is Status.COMPENSATING
    assert process.history(bystander.order_id) == FORWARD[:2]


def test_a_database_that_went_back_in_time_is_believed(process: Process, other: Process) -> None:
    one = order()
    process.hears(one)
    began = process.saga(one.order_id)
    process.hears(decreased(one))
    with process.database.transaction() as tx:
        process.store.save(tx, [began], {one.order_id: process.saga(one.order_id)}, [])
        tx.execute("DELETE FROM saga_events WHERE saga_id = %(id)s AND version = 2", {"id": one.order_id})
    other.hears(replace(decreased(one), success=False, reason="OUT_OF_STOCK"))
    assert process.saga(one.order_id).version == 2, "as many changes as are remembered"
    process.hears(delivered(one))
    assert process.saga(one.order_id).status is Status.COMPENSATED


def test_a_poisoned_message_does_not_keep_the_others_from_being_taken_later(process: Process) -> None:
    one, never = order(), order()
    with pytest.raises(Poison):
        process.hears(one, decreased(never))
    assert process.hears(one) == [decrease(one)]
    assert process.history(one.order_id) == [EventType.STARTED]
