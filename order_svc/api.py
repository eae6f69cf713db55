"""gRPC in: ``ordersaga.order.v1.OrderService``."""

from collections.abc import AsyncIterator, Sequence

from ordersaga.order.v1 import order_pb2 as pb
from ordersaga.order.v1 import order_pb2_grpc

from chassis.changes import ChangeFeed
from chassis.coalesce import Coalescer
from chassis.database import Database
from chassis.errors import NotFound
from chassis.paging import last_id, next_page_token, page_size
from chassis.rpc_errors import Context
from order_svc import store
from order_svc.cancelling import Cancelling
from order_svc.intake import Intake
from order_svc.orders import Order
from order_svc.views import new_order, order_status, order_view

_LARGEST_READ = 1000


class OrderService(order_pb2_grpc.OrderServiceServicer):
    """Translates between proto and orders."""

    def __init__(self, database: Database, intake: Intake, cancelling: Cancelling, feed: ChangeFeed) -> None:
        """Serve the orders of ``database``; ``feed`` tells when some have changed."""
        self._database, self._intake, self._cancelling, self._feed = database, intake, cancelling, feed
        self._read: Coalescer[int, Order] = Coalescer("get_order", self._get, _LARGEST_READ)

    async def CreateOrder(self, request: pb.CreateOrderRequest, context: Context) -> pb.CreateOrderResponse:
        """Store an order as PENDING."""
        order = await self._intake.take(new_order(request, _traceparent(context)))
        return pb.CreateOrderResponse(order=order_view(order))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        """Return one order."""
        return pb.GetOrderResponse(order=order_view(await self._read(request.order_id)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        """Return one page of orders, the newest first."""
        filters = (request.user_id, request.status)
        before, size = last_id("orders", filters, request.page_token), page_size(request.page_size)
        status = order_status(request.status)
        orders = await self._database.run(
            lambda tx: store.find(tx, before=before, limit=size + 1, user_id=request.user_id or None, status=status),
        )
        more = next_page_token("orders", filters, orders[size - 1].order_id) if len(orders) > size else ""
        return pb.ListOrdersResponse(orders=map(order_view, orders[:size]), next_page_token=more)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        """Note that somebody wants an order cancelled."""
        order = await self._cancelling.request(
            request.order_id, actor=request.actor, note=request.reason, traceparent=_traceparent(context)
        )
        return pb.CancelOrderResponse(order=order_view(order))

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Context) -> AsyncIterator[pb.WatchOrderResponse]:
        """Stream the order now and after each change, until it is final."""
        told: Order | None = None
        while told is None or not told.final:
            change = self._feed.next_change()
            order = await self._read(request.order_id)
            if order != told:
                yield pb.WatchOrderResponse(order=order_view(order))
                told = order
            if not order.final:
                await self._feed.wait(change)

    async def _get(self, ids: Sequence[int]) -> Sequence[Order | Exception]:
        orders = await self._database.run(lambda tx: store.get(tx, ids))
        return [orders.get(i) or NotFound("ORDER_NOT_FOUND", f"there is no order {i}") for i in ids]


def _traceparent(context: Context) -> str | None:
    value = dict(context.invocation_metadata() or ()).get("traceparent")
    return value if isinstance(value, str) else None
