"""Changes of databases while orders come in: callers notice nothing, or it passes; no good message is parked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg.sql import SQL, Identifier

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support import trust
from tests.support.metrics import metric
from tests.support.rpc import refusal
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import END_SESSIONS, query
from tests.support.wait import eventually

ALTERED = {
    "order_svc": ("orders", "cancel_note"),
    "orchestrator_svc": ("sagas", "last_error"),
    "product_svc": ("stock_movements", "refusal"),
    "delivery_svc": ("deliveries", "refusal"),
}
"""A text column of each service that its batches or calls return."""


def parked(stack: Stack) -> float:
    return sum(metric(stack.service(name).metrics, "sagakit_dead_letters_total") for name in NAMES)


def alter(stack: Stack, kind: str) -> None:
    for name, (table, column) in ALTERED.items():
        query(stack.postgres.dsn(name), f"ALTER TABLE {table} ALTER {column} TYPE {kind}")


def end_connections(stack: Stack) -> None:
    for name in NAMES:
        query(stack.postgres.dsn(name), END_SESSIONS)


@contextmanager
def customers(shop: Shop, product: int) -> Iterator[list[str]]:
    """Have three callers order and read, again and again; yield their refusals."""
    refused: list[str] = []
    done = threading.Event()

    def buy() -> None:
        while not done.is_set():
            try:
                shop.order(shop.place(product).order_id)
            except grpc.RpcError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=buy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_tables_that_change_under_load_are_noticed_by_nobody(stack: Stack, shop: Shop) -> None:
    before, product = parked(stack), shop.product(stock=100_000)
    with customers(shop, product) as refused:
        for kind in ("varchar(700)", "text", "varchar(701)", "text"):
            alter(stack, kind)
            last = [shop.place(product) for _ in range(5)]
            assert {order.status for order in shop.finals(last, 20)} == {COMPLETED}
    assert refused == []
    assert parked(stack) == before


def test_connections_that_an_operator_ends_cost_no_order(stack: Stack, shop: Shop) -> None:
    before, product = parked(stack), shop.product(stock=100)
    orders = []
    for _ in range(3):
        orders += [shop.place(product) for _ in range(5)]
        end_connections(stack)
    orders += [shop.place(product, wait_for_ready=True) for _ in range(5)]
    assert {order.status for order in shop.finals(orders, 30)} == {COMPLETED}
    assert parked(stack) == before


def set_read_only(stack: Stack, service: str, *, on: bool) -> None:
    """Have new transactions of a service's database refuse writes, or take them again; end its connections first."""
    dsn = stack.postgres.dsn(service)
    with psycopg.connect(dsn, autocommit=True, options="-c default_transaction_read_only=off") as owner:
        name = Identifier(owner.info.dbname)
        change = SQL("SET default_transaction_read_only = on") if on else SQL("RESET default_transaction_read_only")
        owner.execute(SQL("ALTER DATABASE {} {}").format(name, change))
        if on:
            owner.execute(END_SESSIONS)


def is_ready(stack: Stack, service: str) -> bool:
    with trust.channel(stack.service(service).grpc) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def becomes(stack: Stack, service: str, *, ready: bool) -> None:
    def check() -> None:
        assert is_ready(stack, service) == ready

    eventually(check, 20)


@pytest.mark.parametrize("service", ["product_svc", "orchestrator_svc"])
def test_behind_a_read_only_database_orders_wait_and_go_on_by_themselves(
    stack: Stack, shop: Shop, service: str
) -> None:
    before, product = parked(stack), shop.product(stock=100)
    set_read_only(stack, service, on=True)
    try:
        orders = [shop.place(product) for _ in range(30)]
        becomes(stack, service, ready=False)
    finally:
        set_read_only(stack, service, on=False)
    assert {order.status for order in shop.finals(orders, 40)} == {COMPLETED}
    becomes(stack, service, ready=True)
    assert parked(stack) == before
    assert metric(stack.service(service).metrics, "sagakit_consumer_halted") == 0


def test_with_its_own_database_read_only_a_shop_says_try_again_and_shows_what_it_has(stack: Stack, shop: Shop) -> None:
    product = shop.product()
    earlier = shop.final(shop.place(product))
    set_read_only(stack, "order_svc", on=True)
    try:
        becomes(stack, "order_svc", ready=False)
        refused = refusal(lambda: shop.place(product))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
        assert refused.retry_seconds == 1
        assert shop.order(earlier.order_id) == earlier
    finally:
        set_read_only(stack, "order_svc", on=False)
    becomes(stack, "order_svc", ready=True)
    assert shop.final(shop.place(product)).status == COMPLETED
