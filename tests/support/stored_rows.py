"""Rows that are put into the services' tables by hand, many at once, and taken away again."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from devstack.stack import Stack

_FIRST_SAGA = 2**52
"""Ids that no order gets."""
_ORDERS = """
    INSERT INTO orders (order_id, user_id, product_id, quantity, price, address, announce_time, status, cancel_reason)
    SELECT nextval('orders_order_id_seq'), %s, 1, 1, 1, 'Main Street 1', now() + interval '1 day', %s, %s
    FROM generate_series(1, %s) RETURNING order_id
"""
_SAGAS = """
    INSERT INTO sagas (saga_id, start, status, step, reason, attempt, waiting_since, deadline, stuck, version,
                       create_time, update_time)
    SELECT n, start, %s, %s, %s, 1, now(), now() + %s::interval, false, 9, now(), now()
    FROM (SELECT start FROM sagas WHERE saga_id < %s ORDER BY saga_id DESC LIMIT 1) AS one, generate_series(%s, %s) AS n
"""


@contextmanager
def stored_orders(stack: Stack, count: int, user: int, status: str = "CANCELLED") -> Iterator[list[int]]:
    """Keep ``count`` orders of ``user`` that no saga knows, meanwhile; return their ids."""
    reason = "OUT_OF_STOCK" if status == "CANCELLED" else None
    with psycopg.connect(stack.service("order_svc").dsn, autocommit=True) as connection:
        made = connection.execute(_ORDERS, (user, status, reason, count)).fetchall()
        try:
            yield [order_id for (order_id,) in made]
        finally:
            connection.execute("DELETE FROM orders WHERE user_id = %s", (user,))


@contextmanager
def stored_sagas(stack: Stack, count: int, *, under_way: bool) -> Iterator[range]:
    """Keep ``count`` sagas of no order, meanwhile, of which none is due. They are made from one that is there."""
    ids = range(_FIRST_SAGA, _FIRST_SAGA + count)
    status, step, reason = ("RUNNING", "decrease-product", None) if under_way else ("COMPENSATED", None, "OUT_OF_STOCK")
    with psycopg.connect(stack.service("orchestrator_svc").dsn, autocommit=True) as connection:
        due_in = "1 day" if under_way else None
        connection.execute(_SAGAS, (status, step, reason, due_in, _FIRST_SAGA, ids[0], ids[-1]))
        try:
            yield ids
        finally:
            connection.execute("DELETE FROM sagas WHERE saga_id >= %s", (_FIRST_SAGA,))
