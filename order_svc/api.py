"""The gRPC API: ``ordersaga.order.v1.OrderService``."""

from collections.abc import AsyncIterator, Sequence

from google.rpc.code_pb2 import Code
from ordersaga.order.v1 import order_pb2 as pb
from ordersaga.order.v1 import order_pb2_grpc
from prometheus_client import Counter

from order_svc import store
from order_svc.cancelling import Cancelling
from order_svc.intake import Intake
from order_svc.orders import NewOrder, Order
from order_svc.views import new_order, order_status, order_view, result_views
from order_svc.whose import ANOTHER_USER, may_order, must_be_visible, unknown, visible_user
from sagakit.errors import Denied, Hidden, InvalidArgument, Unavailable
from sagakit.outbox.group_commit import GroupCommit
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.pipeline import Transaction
from sagakit.rpc import callers, refusals
from sagakit.rpc.callers import Caller
from sagakit.rpc.guard import Context
from sagakit.rpc.paging import last_id, next_page_token, one_page, page_size
from sagakit.rpc.statuses import CODES
from sagakit.rpc.validation import check
from sagakit.runtime.metrics import begin_at_zero, tally
from sagakit.trace_context import TraceContext
from sagakit.tracing.calls import here

_LARGEST_READ = 1000
_READ_AGAIN_SECONDS = 5.0
"""After so long without a notification a watcher reads the order again, in case one was lost."""
_LONGEST_NOTE = 500
"""In characters. The request's reason, which comes first, is no longer; what it calls itself may be cut."""
_CODES: dict[int, str] = {number: name for name, number in Code.items()}
_BULK_ORDERS = Counter("ordersaga_bulk_orders_total", "Orders that CreateOrders answered, each by its code.", ["code"])
begin_at_zero(_BULK_ORDERS, CODES)
begin_at_zero(refusals.CALLERS_REFUSED, (ANOTHER_USER,))


class OrderService(order_pb2_grpc.OrderServiceServicer):
    """Translates between proto and orders."""

    def __init__(
        self, database: Database, intake: Intake, cancelling: Cancelling, listener: NotificationListener
    ) -> None:
        """Serve the orders of ``database``; ``listener`` gets their changes."""
        self._database, self._intake, self._cancelling, self._listener = database, intake, cancelling, listener
        self._read: GroupCommit[int, Order] = GroupCommit("get_order", self._get, _LARGEST_READ)

    async def CreateOrder(self, request: pb.CreateOrderRequest, context: Context) -> pb.CreateOrderResponse:
        """Store an order as PENDING."""
        may_order(callers.current(), request.user_id)
        order = await self._intake.take(new_order(request, here()))
        return pb.CreateOrderResponse(order=order_view(order))

    async def CreateOrders(
        self, request_iterator: AsyncIterator[pb.CreateOrdersRequest], context: Context
    ) -> AsyncIterator[pb.CreateOrdersResponse]:
        """Store lists of orders as PENDING, one list after the other. Reading no further slows a faster caller down."""
        async for request in request_iterator:
            yield pb.CreateOrdersResponse(results=await self._create(request.orders, context))

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        """Return one order."""
        return pb.GetOrderResponse(order=order_view(await self._visible(request.order_id)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        """Return one page of orders, the newest first."""
        only = visible_user(callers.current())
        if only is not None and request.user_id not in {0, only}:
            hidden = Hidden("ORDER_NOT_FOUND", "there is no order", because=ANOTHER_USER)
            refusals.note("ListOrders", hidden, context)
            return pb.ListOrdersResponse()
        user_id = only or request.user_id
        filters = (user_id, request.status)
        before, size = last_id("orders", filters, request.page_token), page_size(request.page_size)
        status = order_status(request.status)
        orders = await self._database.scan(
            lambda tx: store.find(tx, before=before, limit=size + 1, user_id=user_id or None, status=status),
        )
        page, more = one_page(map(order_view, orders), size)
        token = next_page_token("orders", filters, page[-1].order_id) if more else ""
        return pb.ListOrdersResponse(orders=page, next_page_token=token)

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        """Store a request to cancel an order."""
        caller = callers.current()
        actor, note = caller.signing(request.actor, request.reason)
        order = await self._cancelling.request(
            request.order_id,
            actor=actor,
            note=note[:_LONGEST_NOTE],
            only_of=visible_user(caller),
            trace=here(),
        )
        return pb.CancelOrderResponse(order=order_view(order))

    async def WatchOrder(self, request: pb.WatchOrderRequest, context: Context) -> AsyncIterator[pb.WatchOrderResponse]:
        """Stream the order now and after each change, until it is final."""
        sent: Order | None = None
        news = ""
        with self._listener.follow(request.order_id) as follower:
            while sent is None or not sent.final:
                order = sent.after(news) if sent and news else await self._visible(request.order_id)
                if order != sent:
                    yield pb.WatchOrderResponse(order=order_view(order))
                    sent = order
                if not order.final:
                    changed = await follower.next(within_seconds=_READ_AGAIN_SECONDS)
                    news = changed[request.order_id] if changed else ""

    async def _create(self, requests: Sequence[pb.CreateOrderRequest], context: Context) -> list[pb.CreateOrderResult]:
        caller, trace = callers.current(), here()
        asked = [_asked(request, caller, trace) for request in requests]
        for refused in asked:
            if isinstance(refused, Denied):
                refusals.note("CreateOrders", refused, context)
        answers = iter(await self._intake.take_all([one for one in asked if isinstance(one, NewOrder)]))
        results = result_views([next(answers) if isinstance(one, NewOrder) else one for one in asked])
        tally(_BULK_ORDERS, [_CODES[result.error.code] for result in results])
        return results

    async def _visible(self, order_id: int) -> Order:
        """Return an order that the caller may see; another's is not found, as if there were none."""
        only = visible_user(callers.current())
        order = await self._read(order_id)
        must_be_visible(order, only)
        return order

    async def _get(self, ids: Sequence[int]) -> Sequence[Order | Exception]:
        return await self._database.run(lambda tx: self._get_in(tx, ids))

    def _get_in(self, tx: Transaction, ids: Sequence[int]) -> Sequence[Order | Exception]:
        """Return each order, or why it is not found: it does not exist, or recovery may yet find it in Kafka."""
        orders = store.get(tx, ids)
        if len(orders) < len(set(ids)):
            try:
                self._database.timelines.must_still_be_whole(tx)
            except Unavailable as error:
                return [orders.get(i) or error for i in ids]
        return [orders.get(i) or unknown(i) for i in ids]


def _asked(
    request: pb.CreateOrderRequest, caller: Caller, trace: TraceContext | None
) -> NewOrder | InvalidArgument | Denied:
    """Check an order of a list; the guard leaves that to us, so that a bad order is refused alone."""
    try:
        check(request)
        may_order(caller, request.user_id)
    except (InvalidArgument, Denied) as refused:
        return refused
    return new_order(request, trace)
