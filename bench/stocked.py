"""Tables full of finished orders, as if they had gone through the system: loaded in bulk, and consistent."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import psycopg

from bench.load import ADDRESS
from bench.rig import PRICE, checkpoint
from devstack.stack import Stack
from orchestrator_svc.order_saga import ORDER_SAGA

ORDERS_A_USER = 100
"""How many orders each user has whose orders were loaded, at every size, so that their pages are alike."""
_FIRST_USER = 1_000_000
"""Above those whom the load generator orders for."""
_TABLES = {
    "order_svc": ("orders", "outbox"),
    "product_svc": ("stock_movements",),
    "delivery_svc": ("deliveries",),
    "orchestrator_svc": ("sagas", "saga_events"),
}
_GIVE_BACK = """
    UPDATE products SET stock = stock + taken.pieces FROM (
        SELECT product_id, sum(quantity)::bigint AS pieces FROM stock_movements
        WHERE refusal IS NULL AND NOT undone GROUP BY product_id
    ) AS taken WHERE products.product_id = taken.product_id
"""
_RESERVE = "SELECT setval('orders_order_id_seq', nextval('orders_order_id_seq') + %(orders)s - 1)"

# The parameters of all that follow: the ids first to last, products (an array), price, address, user (that of the first
# order), users (how many). They are a second apart, the last of them now.
_IDS = "generate_series(%(first)s::bigint, %(last)s::bigint) AS loaded (id)"
_USER = "%(user)s::bigint + id %% %(users)s::bigint"
_PRODUCT = "(%(products)s::bigint[])[1 + id %% cardinality(%(products)s::bigint[])]"
_TIME = "now() - make_interval(secs => %(last)s::bigint - id)"
_HISTORY = [
    "(1, 'STARTED', NULL)",
    *(f"({number}, 'STEP_DONE', '{step.name}')" for number, step in enumerate(ORDER_SAGA.steps, 2)),
]
_FILL = {
    "order_svc": (
        f"""
        INSERT INTO orders (order_id, user_id, product_id, quantity, price, address, status, create_time, update_time)
        SELECT id, {_USER}, {_PRODUCT}, 1, %(price)s, %(address)s, 'COMPLETED', {_TIME}, {_TIME} FROM {_IDS}
        """,  # noqa: S608 - constants
    ),
    "product_svc": (
        f"""
        INSERT INTO stock_movements (order_id, product_id, quantity, price, undone, create_time, update_time)
        SELECT id, {_PRODUCT}, 1, %(price)s, false, {_TIME}, {_TIME} FROM {_IDS}
        """,  # noqa: S608 - the same
        """
        UPDATE products SET stock = stock - taken.pieces FROM (
            SELECT product_id, count(*) AS pieces FROM stock_movements
            WHERE order_id BETWEEN %(first)s AND %(last)s GROUP BY product_id
        ) AS taken WHERE products.product_id = taken.product_id
        """,
    ),
    "delivery_svc": (
        f"""
        INSERT INTO deliveries (order_id, delivery_id, user_id, address, status, create_time, update_time)
        SELECT id, nextval('deliveries_delivery_id_seq'), {_USER}, %(address)s, 'SCHEDULED', {_TIME}, {_TIME}
        FROM {_IDS}
        """,  # noqa: S608 - the same
    ),
    "orchestrator_svc": (
        f"""
        INSERT INTO sagas (saga_id, start, status, attempt, stuck, version, create_time, update_time)
        SELECT id, jsonb_build_object(
                'order_id', id, 'user_id', {_USER}, 'product_id', {_PRODUCT}, 'quantity', 1, 'price', %(price)s::bigint,
                'address', %(address)s::text, 'create_time', {_TIME}
            ), 'COMPLETED', 1, false, {len(_HISTORY)}, {_TIME}, {_TIME}
        FROM {_IDS}
        """,  # noqa: S608 - the same
        f"""
        INSERT INTO saga_events (saga_id, version, create_time, type, step, message_id)
        SELECT id, version, {_TIME}, type, step, gen_random_uuid()::text
        FROM {_IDS} CROSS JOIN (VALUES {", ".join(_HISTORY)}) AS history (version, type, step)
        """,  # noqa: S608 - the same
    ),
}


class Chunk(NamedTuple):
    """Orders that were loaded together."""

    orders: range
    """Their ids."""
    users: range
    """Who ordered them, each `ORDERS_A_USER`."""


def empty(stack: Stack) -> None:
    """Remove every order, and what was done for it, from a stack that has nothing under way; ids go on."""
    for service, tables in _TABLES.items():
        with psycopg.connect(stack.service(service).dsn) as connection:
            if service == "product_svc":
                connection.execute(_GIVE_BACK)
            connection.execute(f"TRUNCATE {', '.join(tables)}".encode())


def fill(stack: Stack, orders: int, products: Sequence[int]) -> Chunk:
    """Load so many COMPLETED orders of ``products``, with ids that the sequence will not give to others.

    Statistics and visibility maps are up to date afterwards, and everything is on disk: what this causes is over.
    """
    with psycopg.connect(stack.service("order_svc").dsn, autocommit=True) as connection:
        row = connection.execute(_RESERVE, {"orders": orders}).fetchone()
    last = int(row[0]) if row else 0
    first = last - orders + 1
    users = max(1, orders // ORDERS_A_USER)
    values = {
        "first": first, "last": last, "products": list(products), "price": PRICE, "address": ADDRESS,
        "user": _FIRST_USER + first, "users": users,
    }  # fmt: skip
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda service: _fill(stack, service, values), _FILL))
    checkpoint(stack)
    return Chunk(range(first, last + 1), range(_FIRST_USER + first, _FIRST_USER + first + users))


def _fill(stack: Stack, service: str, values: dict[str, object]) -> None:
    with psycopg.connect(stack.service(service).dsn, autocommit=True) as connection:
        for statement in _FILL[service]:
            connection.execute(statement.encode(), values)
        connection.execute(f"VACUUM (ANALYZE) {', '.join(_TABLES[service])}".encode())
