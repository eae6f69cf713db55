"""Taking orders: those that wait share one transaction; what it says goes out right after it."""

import asyncio
from collections.abc import Sequence

from ordersaga.messages import OrderCreated
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import outbox
from chassis.coalesce import Coalescer
from chassis.codec import Codec
from chassis.database import in_transaction
from chassis.errors import AlreadyExists
from chassis.logs import logger
from chassis.messages import Encoded, Outgoing
from chassis.producer import Producer
from order_svc import store
from order_svc.orders import NewOrder, Order

log = logger("intake")

_LARGEST_GROUP = 500


class Intake:
    """Stores orders in groups, each with its ``OrderCreated`` in the outbox."""

    def __init__(self, engine: AsyncEngine, codec: Codec, producer: Producer) -> None:
        """Take orders into the database of ``engine``, and tell of them through ``producer``."""
        self._engine, self._codec, self._producer = engine, codec, producer
        self._coalescer: Coalescer[NewOrder, Order] = Coalescer("create_order", self._take, _LARGEST_GROUP)
        self._publishing: set[asyncio.Task[None]] = set()

    async def take(self, request: NewOrder) -> Order:
        """Store ``request`` durably and return its order: a new one, or the one its request id had before.

        Raises:
            AlreadyExists: the request id was used for other content.
            Unavailable: schemas are not known yet.
        """
        return await self._coalescer(request)

    async def drain(self) -> None:
        """Wait until what has been published is acknowledged and gone from the outbox."""
        await asyncio.gather(*self._publishing, return_exceptions=True)

    async def _take(self, requests: Sequence[NewOrder]) -> Sequence[Order | Exception]:
        firsts = _firsts(requests)
        by_place, messages, ids = await in_transaction(self._engine, lambda tx: self._store(tx, list(firsts.values())))
        if messages:
            task = asyncio.create_task(self._publish(messages, ids))
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)
        orders = dict(zip(firsts, by_place, strict=True))
        return [_answer(orders[_identity(place, request)], request) for place, request in enumerate(requests)]

    def _store(self, tx: Connection, requests: Sequence[NewOrder]) -> tuple[list[Order], list[Encoded], list[int]]:
        """Store ``requests``; return their orders, and the messages of the new ones with their outbox rows."""
        new = store.insert(tx, requests)
        repeated = [request for place, request in enumerate(requests) if place not in new]
        earlier = store.requested(tx, repeated) if repeated else {}
        messages = [
            self._codec.encode(Outgoing(_created(order), traceparent=requests[place].traceparent))
            for place, order in new.items()
        ]
        ids = outbox.add(tx, messages) if messages else []
        orders = [
            new[place] if place in new else earlier[request.user_id, str(request.request_id)]
            for place, request in enumerate(requests)
        ]
        return orders, messages, ids

    async def _publish(self, messages: Sequence[Encoded], ids: Sequence[int]) -> None:
        """Publish what was just committed. Where that fails the rows stay, and the relay publishes them."""
        try:
            await asyncio.wrap_future(self._producer.publish(messages))
            await in_transaction(self._engine, lambda tx: outbox.remove(tx, ids))
        except Exception as error:  # noqa: BLE001 - the orders are stored; nothing is lost
            log.warning("left to the relay", messages=len(messages), error=" ".join(str(error).split())[:300])


def _identity(place: int, request: NewOrder) -> tuple[int, str] | int:
    return place if request.request_id is None else (request.user_id, request.request_id)


def _firsts(requests: Sequence[NewOrder]) -> dict[tuple[int, str] | int, NewOrder]:
    """Keep the first of the requests that share a user and a request id."""
    firsts: dict[tuple[int, str] | int, NewOrder] = {}
    for place, request in enumerate(requests):
        firsts.setdefault(_identity(place, request), request)
    return firsts


def _answer(order: Order, request: NewOrder) -> Order | Exception:
    if order.is_for(request):
        return order
    text = f"request_id {request.request_id} was used for another order, {order.order_id}"
    return AlreadyExists("REQUEST_ID_REUSED", text)


def _created(order: Order) -> OrderCreated:
    return OrderCreated(
        order_id=order.order_id,
        user_id=order.user_id,
        product_id=order.product_id,
        quantity=order.quantity,
        price=order.price,
        address=order.address,
        create_time=order.create_time,
    )
