"""The list of what has moved a product's stock: the rows of orders and of restocks together, the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sagakit.postgres.pipeline import Transaction

_ORDER, _RESTOCK = 1, 0
_LARGEST_ID = 2**63 - 1
# Each half goes by its index. At one moment orders come before restocks.
_LIST = """
    SELECT * FROM (
        (SELECT 1 AS kind, order_id AS id, quantity, refusal, undone, create_time, update_time FROM stock_movements
         WHERE product_id = %(product_id)s::bigint
             AND (create_time, order_id) < (%(before)s::timestamptz, %(order_id)s::bigint)
         ORDER BY create_time DESC, order_id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT 0, restock_id, quantity, NULL, false, create_time, create_time FROM restocks
         WHERE product_id = %(product_id)s::bigint
             AND (create_time, restock_id) < (%(before)s::timestamptz, %(restock_id)s::bigint)
         ORDER BY create_time DESC, restock_id DESC LIMIT %(limit)s)
    ) AS movements ORDER BY create_time DESC, kind DESC, id DESC LIMIT %(limit)s
"""


class Place(NamedTuple):
    """Where a movement stands in the list."""

    time: datetime
    kind: Literal[0, 1]
    """1 of an order, 0 of a restock."""
    id: int


@dataclass(frozen=True, slots=True)
class Listed:
    """What an order or a restock has done to a product's stock."""

    kind: Literal[0, 1]
    id: int
    """The order's, or the restock's."""
    quantity: int
    refusal: str | None
    """Why an order was not given its pieces; None where it was, and for a restock."""
    undone: bool
    create_time: datetime
    update_time: datetime

    @property
    def order_id(self) -> int | None:
        """Which order; None for a restock."""
        return self.id if self.kind == _ORDER else None

    @property
    def change(self) -> int:
        """What the stock has more because of it, as it stands now."""
        if self.kind == _RESTOCK:
            return self.quantity
        return 0 if self.refusal or self.undone else -self.quantity

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.create_time, self.kind, self.id)


def find(tx: Transaction, product_id: int, *, before: Place | None, limit: int) -> Iterator[Listed]:
    """Yield up to ``limit`` movements of a product that come behind ``before`` in the list, the newest first."""
    parameters: dict[str, object] = {
        "product_id": product_id, "limit": limit, "before": "infinity", "order_id": 0, "restock_id": 0
    }  # fmt: skip
    if before:
        is_order = before.kind == _ORDER
        parameters["before"] = before.time
        parameters["order_id"] = before.id if is_order else 0
        parameters["restock_id"] = _LARGEST_ID if is_order else before.id
    return (Listed(*row) for row in tx.execute(_LIST, parameters))
