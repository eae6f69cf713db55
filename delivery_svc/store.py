"""The table ``deliveries``."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, case, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert

from delivery_svc.deliveries import Delivery, DeliveryStatus, Wanted
from delivery_svc.tables import deliveries, delivery_ids
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.postgres.sql import array, columns, columns_of, lock_those, text_of, unnest, where

_DELIVERY = columns_of(deliveries, Delivery)
_ALL = text_of(select(*_DELIVERY))
_LOCK = text_of(lock_those(_DELIVERY, deliveries.c.order_id))
_GIVEN = ("order_id", "user_id", "address")
"""What is stored of a delivery that an order wants; the rules may look at more."""
_wanted = unnest("wanted", [deliveries.c[name] for name in (*_GIVEN, "refusal")])
_scheduled = _wanted.c.refusal.is_(None)
_ADD = text_of(
    insert(deliveries)
    .from_select(
        [*_wanted.c.keys(), "delivery_id", "status"],
        select(
            *_wanted.c,
            case((_scheduled, delivery_ids.next_value())),
            case((_scheduled, literal_column("'SCHEDULED'")), else_=literal_column("'REFUSED'")),
        ),
    )
    .on_conflict_do_nothing(index_elements=["order_id"])
    .returning(*_DELIVERY)
)
_CANCEL = """
    UPDATE deliveries SET status = 'CANCELLED', update_time = greatest(update_time, now())
    WHERE order_id = ANY(%(ids)s::bigint[]) AND status = 'SCHEDULED'
"""
_GET = text_of(
    select(*_DELIVERY).where(
        deliveries.c.delivery_id.is_not(None),
        or_(
            deliveries.c.delivery_id == bindparam("delivery_id"),
            deliveries.c.order_id == bindparam("order_id"),
        ),
    )
)


def lock(tx: Transaction, order_ids: Iterable[int]) -> dict[int, Delivery]:
    """Lock what is stored about ``order_ids``, in key order, and return it."""
    return {row.order_id: _delivery(row) for row in tx.execute(_LOCK, {"ids": array(sorted(order_ids))})}


def add(tx: Transaction, wanted: Sequence[tuple[Wanted, str | None]]) -> Deferred[dict[int, Delivery]]:
    """Store deliveries, or their refusals where one is given; those that are new come by order id, with the commit.

    Where something is stored about an order already, that stays.
    """
    ordered = sorted(wanted, key=lambda pair: pair[0].order_id)
    given = columns([one for one, _ in ordered], _GIVEN)
    rows = tx.execute(_ADD, {**given, "refusal": array([refusal for _, refusal in ordered])})
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
    query = f"{_ALL} {wanted} ORDER BY delivery_id DESC LIMIT %(limit)s"
    return [_delivery(row) for row in tx.execute(query, {"before": before, "limit": limit})]


def _delivery(row: Row) -> Delivery:
    order_id, delivery_id, user_id, address, status, *others = row  # in the order of the fields
    return Delivery(order_id, delivery_id, user_id, address, DeliveryStatus(status), *others)
