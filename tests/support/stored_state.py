"""The state that all services have stored, compared: they must agree."""

from collections import Counter
from collections.abc import Sequence

from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.support.shop import COMPLETED
from tests.support.sql import query


class StoredState:
    """What every service has stored about some orders that are final."""

    def __init__(self, stack: Stack, orders: Sequence[order_pb2.Order]) -> None:
        self._orders = orders
        ids = [order.order_id for order in orders]
        product_db, delivery_db = stack.service("product_svc").dsn, stack.service("delivery_svc").dsn
        self._holding = {
            (order_id, product_id, quantity)
            for order_id, product_id, quantity in query(
                product_db,
                "SELECT order_id, product_id, quantity FROM stock_movements"
                " WHERE order_id = ANY(%s) AND refusal IS NULL AND NOT undone",
                ids,
            )
        }
        self._scheduled = sorted(
            order_id
            for (order_id,) in query(
                delivery_db,
                "SELECT order_id FROM deliveries WHERE order_id = ANY(%s) AND status = 'SCHEDULED'",
                ids,
            )
        )
        self._sagas = dict(
            query(
                stack.service("orchestrator_svc").dsn, "SELECT saga_id, status FROM sagas WHERE saga_id = ANY(%s)", ids
            )
        )
        self._wrong_stock = query(
            product_db,
            """
            SELECT product_id, stock FROM products WHERE stock
                <> (SELECT coalesce(sum(quantity), 0) FROM restocks r WHERE r.product_id = products.product_id)
                 - (SELECT coalesce(sum(quantity), 0) FROM stock_movements m
                    WHERE m.product_id = products.product_id AND refusal IS NULL AND NOT undone)
            """,
        )

    def reasons(self) -> dict[str, int]:
        """Count the orders by why they were cancelled; completed ones have no reason."""
        return dict(Counter(order.cancel_reason for order in self._orders))

    def must_agree(self) -> None:
        """Check that stock, deliveries and sagas are as the orders' ends say."""
        completed = [order for order in self._orders if order.status == COMPLETED]
        assert self._holding == {(order.order_id, order.product_id, order.quantity) for order in completed}
        assert self._scheduled == sorted(order.order_id for order in completed)
        assert self._sagas == {
            order.order_id: "COMPLETED" if order.status == COMPLETED else "COMPENSATED" for order in self._orders
        }
        assert self._wrong_stock == []
