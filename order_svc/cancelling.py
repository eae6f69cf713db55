"""Requests to cancel an order. The saga decides whether a request comes in time."""

from order_svc import store
from order_svc.orders import Order, order_cancel_requested
from order_svc.whose import must_be_visible, unknown
from sagakit.errors import Refused
from sagakit.messages import Outgoing
from sagakit.outbox.bound import outbox_full
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.notifications import notify
from sagakit.postgres.pipeline import Transaction
from sagakit.trace_context import TraceContext


class Cancelling:
    """Stores requests to cancel an order, and sends them to the saga."""

    def __init__(self, writer: OutboxWriter) -> None:
        """Write with ``writer``."""
        self._writer = writer

    async def request(
        self, order_id: int, *, actor: str, note: str, trace: TraceContext | None, only_of: int | None = None
    ) -> Order:
        """Store that ``actor`` wants the order cancelled, with ``note`` as the reason; return the order.

        Where ``only_of`` is a user, another user's order is not found. A repeat changes nothing and sends nothing: the
        first request stays, and the announcer sends it again if needed.

        Raises:
            NotFound: there is no such order, or it is another user's.
            Refused: the order is final.
            Exhausted: the outbox is full.
            Unavailable: the database may have gone back.
        """

        def noted(tx: Transaction, room: int) -> tuple[Order, list[Outgoing]]:
            # The lock orders this and a concurrent end: either we see the end, or the end comes after the request.
            order = store.lock(tx, [order_id]).get(order_id)
            if order is None:
                raise unknown(order_id)
            must_be_visible(order, only_of)
            if order.final:
                raise Refused("ORDER_FINAL", f"order {order_id} is {order.status} already")
            if order.cancel_request:
                return order, []
            if not room:
                raise outbox_full()
            order = store.request_cancel(tx, order_id, actor=actor or f"user {order.user_id}", note=note)
            notify(tx, store.CHANNEL, [order_id])
            return order, [Outgoing(order_cancel_requested(order), trace=trace)]

        return await self._writer.write(1, noted, [trace])
