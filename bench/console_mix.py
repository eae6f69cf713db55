"""A million sagas as a busy shop has them: most completed, some undone, some under way, and some at which to look."""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from confluent_kafka import Producer

from bench.rig import checkpoint
from bench.stocked import Chunk, fill
from devstack.stack import Stack
from orchestrator_svc.order_saga import ORDER_SAGA

PENDING, STUCK, RETRYING = 2_000, 500, 200
_LETTERS = 200
_UNDONE_EVERY = 25
_REASONS = ("OUT_OF_STOCK", "PRICE_CHANGED", "UNDELIVERABLE_ADDRESS")
_FIRST, _PIVOT = (next(step.name for step in ORDER_SAGA.steps if step.pivot is pivot) for pivot in (False, True))

# What waits here waits for a day: nobody may finish it while it is looked at.
_ORDERS = (
    """
    UPDATE orders SET status = 'CANCELLED', cancel_reason = (%(reasons)s::text[])[1 + order_id / %(every)s %% 3]
    WHERE order_id BETWEEN %(first)s AND %(pending)s - 1 AND order_id %% %(every)s = 0
    """,
    """
    UPDATE orders SET status = 'PENDING', announce_time = now() + interval '1 day'
    WHERE order_id BETWEEN %(pending)s AND %(last)s
    """,
)
_SAGAS = (
    """
    UPDATE sagas SET status = 'COMPENSATED', reason = (%(reasons)s::text[])[1 + saga_id / %(every)s %% 3]
    WHERE saga_id BETWEEN %(first)s AND %(pending)s - 1 AND saga_id %% %(every)s = 0
    """,
    """
    UPDATE sagas SET
        status = CASE WHEN saga_id < %(stuck)s OR saga_id >= %(retrying)s THEN 'RUNNING' ELSE 'COMPENSATING' END,
        step = CASE WHEN saga_id < %(retrying)s THEN %(step)s ELSE %(pivot)s END,
        reason = CASE WHEN saga_id >= %(stuck)s AND saga_id < %(retrying)s THEN (%(reasons)s::text[])[3] END,
        stuck = saga_id >= %(stuck)s AND saga_id < %(retrying)s,
        attempt = CASE WHEN saga_id < %(stuck)s THEN 1 ELSE 5 END,
        waiting_since = create_time, deadline = now() + interval '1 day'
    WHERE saga_id BETWEEN %(pending)s AND %(last)s
    """,
)


class Mix(NamedTuple):
    """What was loaded: ids of orders, each range with sagas that stand alike."""

    all: Chunk
    pending: range
    stuck: range
    retrying: range


def mixed(stack: Stack, sagas: int, products: Sequence[int]) -> Mix:
    """Load so many orders with their sagas, the last of them under way, and some dead letters."""
    chunk = fill(stack, sagas, products)
    first, end = chunk.orders.start, chunk.orders.stop
    retrying = range(end - RETRYING, end)
    stuck = range(retrying.start - STUCK, retrying.start)
    pending = range(stuck.start - PENDING, stuck.start)
    values = {
        "first": first, "last": end - 1, "every": _UNDONE_EVERY, "reasons": list(_REASONS), "step": _FIRST,
        "pivot": _PIVOT, "pending": pending.start, "stuck": stuck.start, "retrying": retrying.start,
    }  # fmt: skip
    for service, table, statements in (("order_svc", "orders", _ORDERS), ("orchestrator_svc", "sagas", _SAGAS)):
        with psycopg.connect(stack.service(service).dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode(), values)
            connection.execute(f"VACUUM (ANALYZE) {table}".encode())
    _park(stack.bootstrap)
    checkpoint(stack)
    return Mix(chunk, pending, stuck, retrying)


def _park(bootstrap: str) -> None:
    """Send what no service can read, so that it is parked."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(_LETTERS):
        producer.produce("decrease-product-command", f"rubbish {number}".encode(), str(number).encode())
    producer.flush(30)
