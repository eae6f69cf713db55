"""Taking orders: the requests that wait are stored together, in one transaction."""

from collections.abc import Sequence

from order_svc import store
from order_svc.orders import NewOrder, Order, order_created
from sagakit.errors import AlreadyExists
from sagakit.messages import Outgoing
from sagakit.outbox.bound import outbox_full
from sagakit.outbox.group_commit import GroupCommit
from sagakit.outbox.pacing import Pacing
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.pipeline import Transaction

_LARGEST_GROUP = 500


class Intake:
    """Stores orders in groups, and has each announced to its saga.

    A request goes from `take` to the group commit, with the others that wait to `_take_group`, from there to the outbox
    writer, and in its transaction to `_store`.
    """

    def __init__(self, writer: OutboxWriter, *, announce_after_seconds: float) -> None:
        """Store orders by ``writer``; they are due to be announced again after ``announce_after_seconds``."""
        self._writer, self._announce_after = writer, announce_after_seconds
        self._group_commit: GroupCommit[NewOrder, Order] = GroupCommit(
            "create_order", self._take_group, _LARGEST_GROUP, Pacing()
        )

    async def take(self, request: NewOrder) -> Order:
        """Store ``request`` durably and return its order: a new one, or the one its request id had before.

        Raises:
            AlreadyExists: the request id was used for other content.
            Exhausted: the outbox is full; an order that its request id had before is returned all the same.
            Unavailable: schemas are not known yet, or the database may have gone back.
        """
        return await self._group_commit(request)

    async def take_all(self, requests: Sequence[NewOrder]) -> list[Order | Exception]:
        """Store each of ``requests`` as `take` does, by itself; return its order, or the error `take` would raise."""
        return await self._group_commit.all(requests)

    async def _take_group(self, requests: Sequence[NewOrder]) -> Sequence[Order | Exception]:
        """Store a group of requests; return each one's order or error, also of those that share a request id."""
        firsts = _firsts(requests)
        traces = (request.trace for request in requests)
        stored = await self._writer.write(
            len(firsts), lambda tx, room: self._store(tx, list(firsts.values()), room), traces
        )
        orders = dict(zip(firsts, stored, strict=True))
        return [_answer(orders[_identity(place, request)], request) for place, request in enumerate(requests)]

    def _store(
        self, tx: Transaction, requests: Sequence[NewOrder], room: int
    ) -> tuple[list[Order | Exception], list[Outgoing]]:
        """Store the first ``room`` of ``requests``; return an answer for each, and the new orders' messages."""
        new = store.insert(tx, requests[:room], self._announce_after) if room else {}
        others = [request for place, request in enumerate(requests) if place not in new]
        earlier = store.requested(tx, others) if others else {}
        answers: list[Order | Exception] = [
            new.get(place) or earlier.get((request.user_id, str(request.request_id))) or outbox_full()
            for place, request in enumerate(requests)
        ]
        messages = [
            Outgoing(order_created(new[place]), trace=request.trace)
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
