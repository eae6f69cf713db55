"""Deliveries on a real database: one for each order, however often it is asked for."""

from collections.abc import Iterator

import pytest
from ordersaga.messages import CancelDeliveryCommand, CreateDeliveryCommand, DeliveryCancelled, DeliveryCreated

from delivery_svc import store
from delivery_svc.deliveries import DeliveryStatus
from delivery_svc.handlers import cancel_delivery, create_delivery
from devstack.stack import Stack
from sagakit.errors import Poison
from sagakit.postgres.database import Database
from tests.support.scratch import database_of, migrated_database


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "delivery_svc"))
    yield database
    database.close()


def deliver(database: Database, order_id: int, address: str = "Main Street 1") -> DeliveryCreated:
    with database.pipeline() as pipeline:
        (answer,) = create_delivery([CreateDeliveryCommand(order_id=order_id, user_id=1, address=address)], pipeline)
    assert isinstance(answer, DeliveryCreated)
    return answer


def cancel(database: Database, order_id: int, address: str = "Main Street 1") -> None:
    with database.pipeline() as pipeline:
        (answer,) = cancel_delivery([CancelDeliveryCommand(order_id=order_id, user_id=1, address=address)], pipeline)
    assert answer == DeliveryCancelled(order_id=order_id)


def status(database: Database, order_id: int) -> DeliveryStatus | None:
    with database.transaction() as tx:
        found = store.get(tx, order_id=order_id)
    return found.status if found else None


def test_the_same_command_five_times_makes_one_delivery_and_one_answer(database: Database) -> None:
    answers = {deliver(database, 1) for _ in range(5)}
    assert len(answers) == 1
    (answer,) = answers
    assert answer.success
    assert answer.delivery_id
    with database.transaction() as tx:
        assert len([d for d in store.find(tx, before=None, limit=100, status=None) if d.order_id == 1]) == 1


def test_an_undeliverable_address_is_refused_the_same_each_time_and_makes_no_delivery(database: Database) -> None:
    answers = {deliver(database, 2, "PO Box 42") for _ in range(3)}
    assert answers == {DeliveryCreated(order_id=2, success=False, delivery_id=None, reason="UNDELIVERABLE_ADDRESS")}
    assert status(database, 2) is None


def test_a_cancelled_delivery_stays_cancelled(database: Database) -> None:
    deliver(database, 3)
    for _ in range(2):
        cancel(database, 3)
    assert status(database, 3) is DeliveryStatus.CANCELLED
    assert deliver(database, 3).reason == "UNDONE"
    assert status(database, 3) is DeliveryStatus.CANCELLED


def test_an_undo_before_its_do_leaves_a_tombstone_that_the_do_finds(database: Database) -> None:
    cancel(database, 4)
    assert deliver(database, 4).reason == "UNDONE"
    assert status(database, 4) is None


def test_a_repeat_with_another_address_is_poison(database: Database) -> None:
    deliver(database, 5)
    with pytest.raises(Poison) as caught:
        deliver(database, 5, "Elm Street 13")
    assert caught.value.reason == "REUSED_ID"
    assert status(database, 5) is DeliveryStatus.SCHEDULED
