"""The table ``deliveries``."""

from collections.abc import Iterable, Sequence

from delivery_svc.deliveries import Delivery, DeliveryStatus, Wanted
from sagakit.postgres.database import array, where
from sagakit.postgres.pipeline import Deferred, Row, Transaction

_COLUMNS = "order_id, delivery_id, user_id, address, status, refusal, create_time, update_time"
_LOCK = f"""
    SELECT {_COLUMNS} FROM deliveries WHERE order_id = ANY(%(ids)s::bigint[]) ORDER BY order_id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant
_ADD = f"""
    INSERT INTO deliveries (order_id, delivery_id, user_id, address, status, refusal)
    SELECT order_id, CASE WHEN refusal IS NULL THEN nextval('deliveries_delivery_id_seq') END, user_id, address,
           CASE WHEN refusal IS NULL THEN 'SCHEDULED' ELSE 'REFUSED' END, refusal
    FROM unnest(%(order_ids)s::bigint[], %(user_ids)s::bigint[], %(addresses)s::text[],
                %(refusals)s::text[]) AS wanted (order_id, user_id, address, refusal)
    ON CONFLICT (order_id) DO NOTHING
    RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant
_CANCEL = """
    UPDATE deliveries SET status = 'CANCELLED', update_time = greatest(update_time, now())
    WHERE order_id = ANY(%(ids)s::bigint[]) AND status = 'SCHEDULED'
"""
_GET = f"""
    SELECT {_COLUMNS} FROM deliveries
    WHERE delivery_id IS NOT NULL AND (delivery_id = %(delivery_id)s OR order_id = %(order_id)s)
"""  # noqa: S608 - a constant


def lock(tx: Transaction, order_ids: Iterable[int]) -> dict[int, Delivery]:
    """Lock what is stored about ``order_ids``, in key order, and return it."""
    return {row.order_id: _delivery(row) for row in tx.execute(_LOCK, {"ids": array(sorted(order_ids))})}


def add(tx: Transaction, wanted: Sequence[tuple[Wanted, str | None]]) -> Deferred[dict[int, Delivery]]:
    """Store deliveries, or their refusals where one is given; those that are new come by order id, with the commit.

    Where something is stored about an order already, that stays.
    """
    ordered = sorted(wanted, key=lambda pair: pair[0].order_id)
    rows = tx.execute(
        _ADD,
        {
            "order_ids": array([one.order_id for one, _ in ordered]),
            "user_ids": array([one.user_id for one, _ in ordered]),
            "addresses": array([one.address for one, _ in ordered]),
            "refusals": array([refusal for _, refusal in ordered]),
        },
    )
    return lambda: {row.order_id: _delivery(row) for row in rows}


def cancel(tx: Transaction, order_ids: Sequence[int]) -> None:
    """Cancel the scheduled deliveries of ``order_ids``."""
    tx.execute(_CANCEL, {"ids": array(order_ids)})


def get(tx: Transaction, *, delivery_id: int | None = None, order_id: int | None = None) -> Delivery | None:
    """Return one delivery, or None. What was refused is none."""
    row = tx.execute(_GET, {"delivery_id": delivery_id, "order_id": order_id}).fetchone()
    return _delivery(row) if row else None


def find(tx: Transaction, *, before: int | None, limit: int, status: DeliveryStatus | None) -> list[Delivery]:
    """Return up to ``limit`` deliveries with ids below ``before``, the newest first. What was refused is none."""
    wanted = where(
        {
            "delivery_id IS NOT NULL": True,
            "delivery_id < %(before)s::bigint": before,
            f"status = '{status}'": status,  # said outright, because the cancelled ones have an index of their own
        }
    )
    query = f"SELECT {_COLUMNS} FROM deliveries {wanted} ORDER BY delivery_id DESC LIMIT %(limit)s"  # noqa: S608 - constants
    return [_delivery(row) for row in tx.execute(query, {"before": before, "limit": limit})]


def _delivery(row: Row) -> Delivery:
    order_id, delivery_id, user_id, address, status, *others = row  # in the order of _COLUMNS and of the fields
    return Delivery(order_id, delivery_id, user_id, address, DeliveryStatus(status), *others)
