"""Asking for an order's cancel. Whether it comes in time is the saga's to decide."""

from collections.abc import Callable

from order_svc import store
from order_svc.orders import Order, order_cancel_requested
from sagakit.errors import NotFound, Refused
from sagakit.messages import Outgoing
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.notifications import notify
from sagakit.postgres.pipeline import Transaction


class Cancelling:
    """Notes that a cancel was asked for, and has the saga told of it."""

    def __init__(self, origin: OutboxWriter, backlog: OutboxBound, must_be_whole: Callable[[], None]) -> None:
        """Note requests by way of ``origin``; ``must_be_whole`` raises where the database may have gone back."""
        self._origin, self._backlog, self._must_be_whole = origin, backlog, must_be_whole

    async def request(self, order_id: int, *, actor: str, note: str, traceparent: str | None) -> Order:
        """Note that ``actor`` wants the order cancelled, and why; return it. Who asked first is kept.

        A repeat changes nothing and says nothing: the first request is stored, and announced again if need be.

        Raises:
            NotFound: there is no such order.
            Refused: the order is final.
            Exhausted: the outbox is full.
            Unavailable: the database may have gone back.
        """

        def noted(tx: Transaction, room: int) -> tuple[Order, list[Outgoing]]:
            self._must_be_whole()
            # Locked, so that an end that is being stored is either seen here, or comes after this.
            order = store.lock(tx, [order_id]).get(order_id)
            if order is None:
                raise NotFound("ORDER_NOT_FOUND", f"there is no order {order_id}")
            if order.final:
                raise Refused("ORDER_FINAL", f"order {order_id} is {order.status} already")
            if order.cancel_request:
                return order, []
            if not room:
                raise self._backlog.full()
            order = store.request_cancel(tx, order_id, actor=actor or f"user {order.user_id}", note=note)
            notify(tx, store.CHANNEL, [order_id])
            return order, [Outgoing(order_cancel_requested(order), traceparent=traceparent)]

        return await self._origin.write(1, noted)
