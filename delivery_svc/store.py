"""The table ``deliveries``."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from chassis.errors import Unavailable
from delivery_svc.deliveries import Delivery, DeliveryStatus, Wanted

_COLUMNS = "order_id, delivery_id, user_id, address, status, refusal, create_time, update_time"
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM deliveries WHERE order_id = ANY(:ids) ORDER BY order_id FOR NO KEY UPDATE
""")  # noqa: S608 - a constant
_ADD = text(f"""
    INSERT INTO deliveries (order_id, delivery_id, user_id, address, status, refusal)
    SELECT order_id, CASE WHEN refusal IS NULL THEN nextval('deliveries_delivery_id_seq') END, user_id, address,
           CASE WHEN refusal IS NULL THEN 'SCHEDULED' ELSE 'REFUSED' END, refusal
    FROM unnest(CAST(:order_ids AS bigint[]), CAST(:user_ids AS bigint[]), CAST(:addresses AS text[]),
                CAST(:refusals AS text[])) AS wanted (order_id, user_id, address, refusal)
    ON CONFLICT (order_id) DO NOTHING
    RETURNING {_COLUMNS}
""")  # noqa: S608 - a constant
_CANCEL = text("""
    UPDATE deliveries SET status = 'CANCELLED', update_time = now()
    WHERE order_id = ANY(:ids) AND status = 'SCHEDULED'
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM deliveries
    WHERE delivery_id IS NOT NULL AND (delivery_id = :delivery_id OR order_id = :order_id)
""")  # noqa: S608 - a constant
_LIST = text(f"""
    SELECT {_COLUMNS} FROM deliveries
    WHERE delivery_id IS NOT NULL
      AND (CAST(:before AS bigint) IS NULL OR delivery_id < :before)
      AND (CAST(:status AS text) IS NULL OR status = :status)
    ORDER BY delivery_id DESC LIMIT :limit
""")  # noqa: S608 - a constant


def lock(tx: Connection, order_ids: Iterable[int]) -> dict[int, Delivery]:
    """Lock what is stored about ``order_ids``, in key order, and return it."""
    return {row.order_id: _delivery(row) for row in tx.execute(_LOCK, {"ids": sorted(order_ids)})}


def add(tx: Connection, wanted: Sequence[tuple[Wanted, str | None]]) -> dict[int, Delivery]:
    """Store new deliveries, or their refusals where one is given; return them by order id.

    Raises:
        Unavailable: another replica stored one meanwhile; nothing may be committed.
    """
    if not wanted:
        return {}
    ordered = sorted(wanted, key=lambda pair: pair[0].order_id)
    rows = tx.execute(
        _ADD,
        {
            "order_ids": [one.order_id for one, _ in ordered],
            "user_ids": [one.user_id for one, _ in ordered],
            "addresses": [one.address for one, _ in ordered],
            "refusals": [refusal for _, refusal in ordered],
        },
    )
    stored = {row.order_id: _delivery(row) for row in rows}
    if len(stored) != len(ordered):
        msg = "another replica stored a delivery of the same order meanwhile"
        raise Unavailable(msg)
    return stored


def cancel(tx: Connection, order_ids: Sequence[int]) -> None:
    """Cancel the scheduled deliveries of ``order_ids``."""
    tx.execute(_CANCEL, {"ids": list(order_ids)})


def get(tx: Connection, *, delivery_id: int | None = None, order_id: int | None = None) -> Delivery | None:
    """Return one delivery, or None. What was refused is none."""
    row = tx.execute(_GET, {"delivery_id": delivery_id, "order_id": order_id}).one_or_none()
    return _delivery(row) if row else None


def find(tx: Connection, *, before: int | None, limit: int, status: DeliveryStatus | None) -> list[Delivery]:
    """Return up to ``limit`` deliveries with ids below ``before``, the newest first. What was refused is none."""
    rows = tx.execute(_LIST, {"before": before, "limit": limit, "status": status})
    return [_delivery(row) for row in rows]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{**row._asdict(), "status": DeliveryStatus(row.status)})
