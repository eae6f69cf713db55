"""Pages of orders are read by the index that fits their filter, whatever pages a connection has served before."""

from typing import Any

import pytest

from bench import stocked
from devstack.stack import Stack
from order_svc import store
from order_svc.orders import OrderStatus
from tests.support.scratch import database_of
from tests.support.shop import Shop

ORDERS = 20_000
OFTEN = 12
"""How often a page is read: a plan that PostgreSQL makes for the values at hand would be used five times."""


@pytest.fixture(scope="module")
def user(stack: Stack) -> int:
    """One of many users, each with a few of many orders."""
    shop = Shop(stack)
    chunk = stocked.fill(stack, ORDERS, [shop.product(stock=ORDERS)])
    shop.close()
    return chunk.users[0]


def kept_plan(stack: Stack, text: str, *arguments: int, **filters: Any) -> str:
    """Read pages with no filter, with others and with ``filters``, often; return the plan kept for the last."""
    database = database_of(stack.service("order_svc").dsn, 1)
    with database.transaction() as tx:
        for one in ({}, {"status": OrderStatus.CANCELLED}, filters):
            for _ in range(OFTEN):
                store.find(tx, **({"before": None, "limit": 51, "user_id": None, "status": None} | one))
        prepared = tx.execute("SELECT name, statement FROM pg_prepared_statements").fetchall()
        (name,) = [name for name, statement in prepared if text in statement]
        values = ", ".join(map(str, arguments))
        plan = tx.execute(f"EXPLAIN EXECUTE {name} ({values})").fetchall()
    database.close()
    return str(plan)


def test_a_users_page(stack: Stack, user: int) -> None:
    assert "orders_by_user" in kept_plan(stack, "user_id = $1", user, 51, user_id=user)


@pytest.mark.usefixtures("user")
def test_the_orders_under_way(stack: Stack) -> None:
    assert "orders_to_announce" in kept_plan(stack, "status = 'PENDING'", 51, status=OrderStatus.PENDING)
