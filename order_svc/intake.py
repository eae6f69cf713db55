"""Taking orders: those that wait share one transaction."""

from collections.abc import Callable, Sequence

from order_svc import store
from order_svc.orders import NewOrder, Order, order_created
from sagakit.errors import AlreadyExists
from sagakit.messages import Outgoing
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.group_commit import GroupCommit
from sagakit.outbox.pacing import Pacing
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.pipeline import Transaction

_LARGEST_GROUP = 500


class Intake:
    """Stores orders in groups, and has each announced to its saga."""

    def __init__(
        self,
        origin: OutboxWriter,
        backlog: OutboxBound,
        must_be_whole: Callable[[], None],
        announce_after_seconds: float,
    ) -> None:
        """Take orders by way of ``origin``; ``announce_after_seconds`` is when they are due to be announced again.

        ``must_be_whole`` raises where the database may have gone back: an id must not be given a second time.
        """
        self._origin, self._backlog, self._announce_after = origin, backlog, announce_after_seconds
        self._must_be_whole = must_be_whole
        self._coalescer: GroupCommit[NewOrder, Order] = GroupCommit(
            "create_order", self._take, _LARGEST_GROUP, Pacing()
        )

    async def take(self, request: NewOrder) -> Order:
        """Store ``request`` durably and return its order: a new one, or the one its request id had before.

        Raises:
            AlreadyExists: the request id was used for other content.
            Exhausted: the outbox is full; an order that its request id had before is returned all the same.
            Unavailable: schemas are not known yet, or the database may have gone back.
        """
        return await self._coalescer(request)

    async def take_all(self, requests: Sequence[NewOrder]) -> list[Order | Exception]:
        """Store each of ``requests`` as `take` does, by itself; return its order, or the error `take` would raise."""
        return await self._coalescer.all(requests)

    async def _take(self, requests: Sequence[NewOrder]) -> Sequence[Order | Exception]:
        firsts = _firsts(requests)
        orders = dict(zip(firsts, await self._write(list(firsts.values())), strict=True))
        return [_answer(orders[_identity(place, request)], request) for place, request in enumerate(requests)]

    async def _write(self, requests: Sequence[NewOrder]) -> Sequence[Order | Exception]:
        return await self._origin.write(len(requests), lambda tx, room: self._store(tx, requests, room))

    def _store(
        self, tx: Transaction, requests: Sequence[NewOrder], room: int
    ) -> tuple[list[Order | Exception], list[Outgoing]]:
        """Store the first ``room`` of ``requests``; return an answer for each, and the new orders' messages."""
        self._must_be_whole()
        new = store.insert(tx, requests[:room], self._announce_after) if room else {}
        others = [request for place, request in enumerate(requests) if place not in new]
        earlier = store.requested(tx, others) if others else {}
        answers: list[Order | Exception] = [
            new.get(place) or earlier.get((request.user_id, str(request.request_id))) or self._backlog.full()
            for place, request in enumerate(requests)
        ]
        messages = [
            Outgoing(order_created(new[place]), traceparent=request.traceparent)
            for place, request in enumerate(requests)
            if place in new
        ]
        return answers, messages


def _identity(place: int, request: NewOrder) -> tuple[int, str] | int:
    return place if request.request_id is None else (request.user_id, request.request_id)


def _firsts(requests: Sequence[NewOrder]) -> dict[tuple[int, str] | int, NewOrder]:
    """Keep the first of the requests that share a user and a request id."""
    firsts: dict[tuple[int, str] | int, NewOrder] = {}
    for place, request in enumerate(requests):
        firsts.setdefault(_identity(place, request), request)
    return firsts


def _answer(order: Order | Exception, request: NewOrder) -> Order | Exception:
    if isinstance(order, Exception) or order.is_for(request):
        return order
    text = f"request_id {request.request_id} was used for another order, {order.order_id}"
    return AlreadyExists("REQUEST_ID_REUSED", text)
