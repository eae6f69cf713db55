"""A crowd of orders is handled in batches: many share a transaction in each service, however fast the machine is.

How much faster that is than one by one, `make bench ARGS="--only batches"` measures.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.counts import Counts, counts, per_transaction
from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.shop import Shop
from tests.support.sql import count

ORDERS = 256
CALLERS = 64
LEAST = 10
"""Messages to a transaction: one by one it would be 1, and all at once 256."""
_LEFT = "SELECT count(*) FROM orders WHERE order_id > %s AND status = 'PENDING'"


@pytest.mark.timeout(180)
def test_in_every_service_many_messages_of_a_crowd_share_a_transaction(breakable: Stack, shop: Shop) -> None:
    products = [shop.product(stock=ORDERS) for _ in range(10)]
    orders, orchestrator = breakable.service("order_svc"), breakable.service("orchestrator_svc")
    last = count(orders.dsn, "SELECT coalesce(max(order_id), 0) FROM orders")
    orchestrator.stop()  # so that all of the orders wait for it, as a crowd
    before = counts(breakable) | {"orchestrator_svc": Counts(0, 0)}
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda number: shop.place(products[number % 10]), range(ORDERS)))
    orchestrator.start()
    while count(orders.dsn, _LEFT, last):
        time.sleep(0.1)
    shared = per_transaction(before, counts(breakable))
    assert all(shared[name] >= LEAST for name in NAMES), shared
