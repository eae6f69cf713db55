"""The table ``orders``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ordersaga.messages import OrderCancelRequested, OrderCreated
from sqlalchemy import bindparam, func, literal_column, select, tuple_, update

from order_svc.orders import CancelRequest, Ending, NewOrder, Order, OrderStatus
from order_svc.tables import orders
from sagakit.postgres.notifications import notify_news
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.postgres.sql import array, columns, lock_those, readable, select_those, text_of, unnest, where
from sagakit.runtime.set_aside import Claim

CHANNEL = "orders"
"""What is notified when orders have changed, with their ids."""

_REQUEST = ("user_id", "product_id", "quantity", "price", "address", "request_id", "traceparent")
_ORDER = readable(one for one in orders.c if one.name not in {"announcements", "announce_time"})
_ALL = text_of(select(*_ORDER))
_GET = text_of(select_those(_ORDER, orders.c.order_id))
_LOCK = text_of(lock_those(_ORDER, orders.c.order_id))
_REQUESTED = text_of(
    select(*_ORDER).where(
        tuple_(orders.c.user_id, orders.c.request_id).in_(
            select(*unnest("asked", [orders.c.user_id, orders.c.request_id]).c)
        )
    )
)
_REQUEST_CANCEL = text_of(
    update(orders)
    .where(
        orders.c.order_id == bindparam("id"),
        orders.c.status == literal_column("'PENDING'"),
        orders.c.cancel_request_time.is_(None),
    )
    .values(
        cancel_actor=bindparam("actor"),
        cancel_note=bindparam("note"),
        cancel_request_time=func.greatest(orders.c.update_time, func.now()),
        update_time=func.greatest(orders.c.update_time, func.now()),
    )
    .returning(*_ORDER)
)
# The ids are drawn before the insert, so that each row that comes back can be matched to its request. Transactions that
# store the same requests at once wait at their unique keys. All insert in one order, so they do not deadlock.
_INSERT = """
    WITH request AS MATERIALIZED (
        SELECT nextval('orders_order_id_seq') AS order_id, r.*
        FROM unnest(%(user_id)s::bigint[], %(product_id)s::bigint[], %(quantity)s::bigint[],
                    %(price)s::bigint[], %(address)s::text[], %(request_id)s::uuid[], %(traceparent)s::text[])
             WITH ORDINALITY AS r (user_id, product_id, quantity, price, address, request_id, traceparent, place)
    ), stored AS (
        INSERT INTO orders (order_id, user_id, product_id, quantity, price, address, request_id, traceparent,
                            announce_time)
        SELECT order_id, user_id, product_id, quantity, price, address, request_id, traceparent,
               now() + make_interval(secs => %(announce_after)s)
        FROM request ORDER BY request_id, user_id, place
        ON CONFLICT (user_id, request_id) DO NOTHING
        RETURNING order_id, create_time
    )
    SELECT request.place, request.order_id, stored.create_time FROM request JOIN stored USING (order_id)
"""
_END = """
    UPDATE orders SET status = ending.status, cancel_reason = ending.reason, update_time = greatest(update_time, now())
    FROM unnest(%(order_id)s::bigint[], %(status)s::text[], %(reason)s::text[])
         AS ending (order_id, status, reason)
    WHERE orders.order_id = ending.order_id AND orders.status = 'PENDING'
    RETURNING orders.order_id
"""
# What `Order.after` reads.
_NEWS = """
    SELECT order_id AS id, json_build_array(status, cancel_reason, update_time)::text AS news
    FROM orders WHERE order_id = ANY(%(ids)s::bigint[]) AND status <> 'PENDING'
"""
# It selects ids alone, so that a row that cannot be read has one by which it can be set aside.
_CLAIM = """
    SELECT order_id FROM orders
    WHERE status = 'PENDING' AND announce_time <= now() AND order_id <> ALL(%(set_aside)s::bigint[])
    ORDER BY announce_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_ANNOUNCED = """
    UPDATE orders SET announcements = announcements + 1, announce_time = now() + make_interval(
        secs => least(%(longest)s, %(after)s * power(2.0, least(announcements, 30) + 1)))
    WHERE order_id = ANY(%(ids)s::bigint[])
"""
_RESTORE = """
    INSERT INTO orders (order_id, user_id, product_id, quantity, price, address, request_id, traceparent, create_time,
                        update_time, announce_time)
    SELECT order_id, user_id, product_id, quantity, price, address, request_id, traceparent, create_time,
           greatest(create_time, now()),
           now() + make_interval(secs => %(announce_after)s)
    FROM unnest(%(order_id)s::bigint[], %(user_id)s::bigint[], %(product_id)s::bigint[], %(quantity)s::bigint[],
                %(price)s::bigint[], %(address)s::text[], %(request_id)s::uuid[], %(traceparent)s::text[],
                %(create_time)s::timestamptz[])
         AS found (order_id, user_id, product_id, quantity, price, address, request_id, traceparent, create_time)
    ORDER BY order_id
    ON CONFLICT DO NOTHING
    RETURNING order_id
"""
_RESTORE_CANCELS = """
    UPDATE orders SET cancel_actor = found.actor, cancel_note = found.reason, cancel_request_time = found.request_time,
        update_time = greatest(orders.update_time, found.request_time)
    FROM unnest(%(order_id)s::bigint[], %(actor)s::text[], %(reason)s::text[], %(request_time)s::timestamptz[])
         AS found (order_id, actor, reason, request_time)
    WHERE orders.order_id = found.order_id AND orders.status = 'PENDING' AND orders.cancel_request_time IS NULL
"""
_LAST_NUMBER = "SELECT last_value FROM orders_order_id_seq"
_NUMBER_ON = """
    SELECT setval('orders_order_id_seq', greatest(last_value, %(behind)s) + %(gap)s) FROM orders_order_id_seq
"""
_HISTORY = "SELECT line FROM history"
_NOTE_HISTORY = """
    INSERT INTO history (line) VALUES (%(line)s) ON CONFLICT (only_row) DO UPDATE SET line = EXCLUDED.line
"""


def restore(
    tx: Transaction, found: Sequence[OrderCreated], traces: Mapping[int, str | None], announce_after: float
) -> set[int]:
    """Store those orders of ``found``, each with an id of its own, that are not there, PENDING; return their ids.

    ``traces`` has the ``traceparent`` of each whose trace somebody records. One whose request id stands for another
    order by now is stored without it: its saga goes on all the same.
    """
    names = ("order_id", "user_id", "product_id", "quantity", "price", "address", "request_id", "create_time")

    def stored(orders: Sequence[OrderCreated]) -> set[int]:
        beside = {
            "traceparent": array([traces.get(order.order_id) for order in orders]),
            "announce_after": announce_after,
        }
        return {row.order_id for row in tx.execute(_RESTORE, columns(orders, names) | beside)}

    restored = stored(found)
    left = [replace(order, request_id=None) for order in found if order.request_id and order.order_id not in restored]
    return restored | stored(left) if left else restored


def restore_cancels(tx: Transaction, found: Sequence[OrderCancelRequested]) -> None:
    """Note the requests to cancel orders that are still PENDING and know of none."""
    tx.execute(_RESTORE_CANCELS, columns(found, ("order_id", "actor", "reason", "request_time")))


def last_number(tx: Transaction) -> int:
    """Return the highest id that was given out or skipped."""
    ((number,),) = tx.execute(_LAST_NUMBER).fetchall()
    return int(number)


def number_on(tx: Transaction, *, behind: int, gap: int) -> None:
    """Give the next order an id that is more than ``gap`` behind the last one's, and behind ``behind``."""
    tx.execute(_NUMBER_ON, {"behind": behind, "gap": gap})


def history(tx: Transaction) -> str | None:
    """Return which history the database had when that was noted last; None where it never was."""
    row = tx.execute(_HISTORY).fetchone()
    return str(row.line) if row else None


def note_history(tx: Transaction, line: str) -> None:
    """Note which history the database tells."""
    tx.execute(_NOTE_HISTORY, {"line": line})


def insert(tx: Transaction, requests: Sequence[NewOrder], announce_after: float) -> dict[int, Order]:
    """Store ``requests`` as PENDING orders; return the new orders by their request's place in the sequence.

    A request whose user has used its request id before is left out; `requested` finds that order. Those that are still
    PENDING after ``announce_after`` seconds are due to be announced again.
    """
    rows = tx.execute(_INSERT, columns(requests, _REQUEST) | {"announce_after": announce_after})
    return {row.place - 1: _new(requests[row.place - 1], row) for row in rows}


def requested(tx: Transaction, requests: Sequence[NewOrder]) -> dict[tuple[int, str], Order]:
    """Return the orders stored for the request ids of ``requests``, by user and request id."""
    keys = columns(requests, ("user_id", "request_id"))
    return {(row.user_id, row.request_id): _order(row) for row in tx.execute(_REQUESTED, keys)}


def get(tx: Transaction, ids: Sequence[int]) -> dict[int, Order]:
    """Return those of the orders ``ids`` that exist."""
    return {row.order_id: _order(row) for row in tx.execute(_GET, {"ids": array(ids)})}


def lock(tx: Transaction, ids: Sequence[int]) -> dict[int, Order]:
    """Lock the orders ``ids``, in key order, and return those that exist."""
    return {row.order_id: _order(row) for row in tx.execute(_LOCK, {"ids": array(ids)})}


def find(
    tx: Transaction, *, before: int | None, limit: int, user_id: int | None, status: OrderStatus | None
) -> list[Order]:
    """Return up to ``limit`` orders with ids below ``before`` that pass every filter given, the newest first."""
    wanted = where(
        {
            "order_id < %(before)s::bigint": before,
            "user_id = %(user_id)s::bigint": user_id,
            f"status = '{status}'": status,  # said outright: the pending and the cancelled have indexes
        }
    )
    query = f"{_ALL} {wanted} ORDER BY order_id DESC LIMIT %(limit)s"
    return [_order(row) for row in tx.execute(query, {"before": before, "limit": limit, "user_id": user_id})]


def end(tx: Transaction, endings: Sequence[Ending]) -> Deferred[set[int]]:
    """End those orders of ``endings`` that are still PENDING, tell who follows them; their ids come with the commit."""
    ordered = sorted(endings, key=lambda ending: ending.order_id)
    ended = tx.execute(_END, columns(ordered, ("order_id", "status", "reason")))
    notify_news(tx, CHANNEL, _NEWS, {"ids": array([ending.order_id for ending in ordered])})
    return lambda: {row.order_id for row in ended}


def request_cancel(tx: Transaction, order_id: int, *, actor: str, note: str) -> Order:
    """Note on an order that is locked and PENDING who asks first for its cancel, and why; return it as it is then."""
    return _order(tx.execute(_REQUEST_CANCEL, {"id": order_id, "actor": actor, "note": note}).fetchone())


def claim_unannounced(tx: Transaction, claim: Claim) -> list[Order]:
    """Lock PENDING orders that are due to be announced again, as many as ``claim`` says, and note their ids in it.

    Those that somebody else has in hand are left out.
    """
    rows = tx.execute(_CLAIM, {"limit": claim.limit, "set_aside": array(claim.set_aside)})
    claim.ids = [row.order_id for row in rows]
    return [_order(row) for row in tx.execute(_GET, {"ids": array(claim.ids)})] if claim.ids else []


def announced(tx: Transaction, ids: Sequence[int], *, after: float, longest: float) -> None:
    """Count one more announcement of ``ids``; the next is due after twice the time of the last, ``longest`` at most.

    Times are seconds; ``after`` is what passes before the first.
    """
    tx.execute(_ANNOUNCED, {"ids": array(ids), "after": after, "longest": longest})


def _new(request: NewOrder, row: Row) -> Order:
    pending = (OrderStatus.PENDING, None, row.create_time, row.create_time)
    return Order(row.order_id, *request.content(), *pending, None, request.request_id, request.traceparent)


def _order(row: Row) -> Order:
    values = row._asdict()
    actor, note, time = (values.pop(name) for name in ("cancel_actor", "cancel_note", "cancel_request_time"))
    request = CancelRequest(actor, note, time) if time else None
    return Order(**{**values, "status": OrderStatus(row.status), "cancel_request": request})
