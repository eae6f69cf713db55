"""Each service's database goes back to an earlier time, while orders come: nothing that was acknowledged is lost."""

import os
import signal
import uuid
from collections.abc import Callable
from datetime import UTC
from typing import TypeVar

import grpc
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.messages import DeliveryCreated, OrderCancelRequested, ProductDecreased
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support import trust
from tests.support.going_back import Earlier
from tests.support.kafka import Tape, committed, ends, send
from tests.support.registry import encode
from tests.support.rpc import code_of
from tests.support.shop import CANCELLED, COMPLETED, Shop
from tests.support.sql import query
from tests.support.wait import eventually

T = TypeVar("T")
BACK_SECONDS = 90.0
PARTITIONS = 6
"""Of each topic, as `schemas/topics.yaml` has it."""
NOT_YET = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND}


def once_back(call: Callable[[], T]) -> T:
    """Make a call again until the service has what it needs for it."""

    def ask() -> T:
        try:
            return call()
        except grpc.RpcError as error:
            if code_of(error) not in NOT_YET:
                raise
            raise AssertionError(str(error)) from error

    return eventually(ask, BACK_SECONDS)


def finals(shop: Shop, orders: list[order_pb2.Order]) -> set[int]:
    """Return how the orders end, those that are unknown for a while included."""

    def end(order: order_pb2.Order) -> int:
        def ask() -> int:
            found = once_back(lambda: shop.order(order.order_id))
            assert found.status in {COMPLETED, CANCELLED}
            return found.status

        return eventually(ask, BACK_SECONDS)

    return {end(order) for order in orders}


@pytest.mark.parametrize("service", NAMES)
def test_what_a_database_forgets_comes_again(stack: Stack, shop: Shop, service: str) -> None:
    product = shop.product(stock=1000)
    letters = Tape(stack.bootstrap, [f"{name}.dlq" for name in NAMES])
    before = [shop.place(product) for _ in range(10)]
    assert finals(shop, before) == {COMPLETED}
    then = Earlier(stack.postgres, service)
    keys = [str(uuid.uuid4()) for _ in range(30)]
    forgotten = [once_back(lambda key=key: shop.place(product, request_id=key)) for key in keys]  # type: ignore[misc]
    assert finals(shop, forgotten) == {COMPLETED}
    under_way = [once_back(lambda: shop.place(product)) for _ in range(30)]
    then.restore()
    later = [once_back(lambda: shop.place(product)) for _ in range(10)]
    orders = [*before, *forgotten, *under_way, *later]
    assert len({order.order_id for order in orders}) == len(orders), "no id was given a second time"
    assert finals(shop, orders) == {COMPLETED}

    def all_agree() -> None:
        assert once_back(lambda: shop.stock(product)) == 1000 - len(orders)
        for order in orders:
            assert once_back(lambda wanted=order: shop.delivery(wanted)) is not None  # type: ignore[misc]
            saga = once_back(lambda wanted=order: shop.saga(wanted)).saga  # type: ignore[misc]
            assert not saga.step
            assert not saga.stuck

    eventually(all_agree, BACK_SECONDS)
    assert [letter.value() for letter in letters.until(0)] == []
    again = [once_back(lambda key=key: shop.place(product, request_id=key)) for key in keys]  # type: ignore[misc]
    assert [one.order_id for one in again] == [one.order_id for one in forgotten], "no order was made a second time"
    for order in orders:
        found = shop.order(order.order_id)
        assert (found.product_id, found.quantity, found.create_time) == (product, 1, order.create_time)


def test_pieces_that_were_refused_and_can_be_taken_the_second_time_are_given_back(breakable: Stack, shop: Shop) -> None:
    product, service = shop.product(stock=3), breakable.service("product_svc")
    then = Earlier(breakable.postgres, service.name)
    order = once_back(lambda: shop.place(product, quantity=7))
    assert finals(shop, [order]) == {CANCELLED}
    service.stop()
    then.restore()
    query(service.dsn, "UPDATE products SET stock = stock + 7 WHERE product_id = %s", product)
    query(service.dsn, "INSERT INTO restocks (product_id, quantity) VALUES (%s, 7)", product)
    service.start()

    def given_back() -> None:
        moved = query(service.dsn, "SELECT undone FROM stock_movements WHERE order_id = %s", order.order_id)
        assert moved == [(True,)]

    eventually(given_back, BACK_SECONDS)
    assert shop.stock(product) == 10
    assert shop.order(order.order_id).status == CANCELLED


def delete_what_was_answered(bootstrap: str) -> None:
    """Have Kafka delete the participants' answers so far, as a topic's retention does."""
    topics = (ProductDecreased.TOPIC, DeliveryCreated.TOPIC)
    found = [(topic, number, end) for topic in topics for number, end in enumerate(ends(bootstrap, topic, PARTITIONS))]
    admin = AdminClient(trust.kafka(bootstrap))
    for future in admin.delete_records([TopicPartition(*one) for one in found]).values():
        future.result(15)


def test_a_cancel_that_came_too_late_comes_too_late_again_when_the_saga_is_forgotten(stack: Stack, shop: Shop) -> None:
    """The cancel is read again before any reply: those of the first time are gone."""
    product = shop.product(stock=100)
    then = Earlier(stack.postgres, "orchestrator_svc")
    order = once_back(lambda: shop.place(product, quantity=7))
    assert finals(shop, [order]) == {COMPLETED}
    cancel = OrderCancelRequested(
        order_id=order.order_id, user_id=order.user_id, product_id=product, quantity=7, price=order.price,
        address=order.address, create_time=order.create_time.ToDatetime(UTC), actor="a customer",
        reason="changed my mind", request_time=order.create_time.ToDatetime(UTC),
    )  # fmt: skip
    encoded = encode(stack.registry_url, cancel)
    send(stack.bootstrap, cancel.TOPIC, encoded.key, encoded.value, dict(encoded.headers))

    def is_noted() -> None:
        assert saga_pb.SAGA_EVENT_TYPE_CANCEL_TOO_LATE in {
            event.type for event in once_back(lambda: shop.saga(order)).history
        }

    def is_committed() -> None:
        handled = committed(stack.bootstrap, "orchestrator_svc", cancel.TOPIC, PARTITIONS)
        assert [max(0, at) for at in handled] == ends(stack.bootstrap, cancel.TOPIC, PARTITIONS)

    eventually(is_noted, 30)
    eventually(is_committed, 30)  # else nothing shows that just the cancel is missing
    delete_what_was_answered(stack.bootstrap)
    then.restore()

    def is_completed_again() -> None:
        assert once_back(lambda: shop.saga(order)).saga.status == saga_pb.SAGA_STATUS_COMPLETED

    eventually(is_completed_again, BACK_SECONDS)
    assert shop.order(order.order_id).status == COMPLETED
    assert shop.stock(product) == 93
    delivery = shop.delivery(order)
    assert delivery is not None
    assert delivery.status == delivery_pb2.DELIVERY_STATUS_SCHEDULED


def test_a_cancel_of_an_order_whose_saga_is_forgotten_undoes_all_that_was_done(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=100)
    delivery = stack.service("delivery_svc").pid
    assert delivery is not None
    then = Earlier(stack.postgres, "orchestrator_svc")
    os.kill(delivery, signal.SIGSTOP)
    try:
        order = shop.place(product, quantity=7)

        def waits_for_the_delivery() -> None:
            assert once_back(lambda: shop.saga(order)).saga.step == "create-delivery"

        eventually(waits_for_the_delivery, 30)
        then.restore()
        shop.cancel(order, reason="changed my mind")
    finally:
        os.kill(delivery, signal.SIGCONT)
    assert finals(shop, [order]) == {CANCELLED}

    def all_undone() -> None:
        assert shop.stock(product) == 100
        found = shop.delivery(order)
        assert found is None or found.status != 1, "there is no parcel on its way"

    eventually(all_undone, 30)
