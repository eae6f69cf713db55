"""The gRPC API: ``ordersaga.delivery.v1.DeliveryService``."""

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.delivery.v1 import delivery_pb2 as pb
from ordersaga.delivery.v1 import delivery_pb2_grpc

from delivery_svc import store
from delivery_svc.deliveries import Delivery, DeliveryStatus
from sagakit.errors import NotFound
from sagakit.postgres.database import Database
from sagakit.rpc.guard import Context
from sagakit.rpc.paging import last_id, next_page_token, one_page, page_size


class DeliveryService(delivery_pb2_grpc.DeliveryServiceServicer):
    """Translates between proto and deliveries."""

    def __init__(self, database: Database) -> None:
        """Serve the deliveries of ``database``."""
        self._database = database

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Context) -> pb.GetDeliveryResponse:
        """Return one delivery, by its id or its order's."""
        delivery = await self._database.run(
            lambda tx: store.get(tx, delivery_id=request.delivery_id or None, order_id=request.order_id or None),
        )
        if delivery is None:
            which = request.WhichOneof("id")
            text = f"there is no delivery with {which} {request.delivery_id or request.order_id}"
            raise NotFound("DELIVERY_NOT_FOUND", text)
        return pb.GetDeliveryResponse(delivery=_proto(delivery))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        """Return one page of deliveries, the newest first."""
        before, size = last_id("deliveries", request.status, request.page_token), page_size(request.page_size)
        status = DeliveryStatus(_NAMES[request.status]) if request.status else None
        found = await self._database.scan(lambda tx: store.find(tx, before=before, limit=size + 1, status=status))
        page, more = one_page(map(_proto, found), size)
        token = next_page_token("deliveries", request.status, page[-1].delivery_id) if more else ""
        return pb.ListDeliveriesResponse(deliveries=page, next_page_token=token)


_NAMES = {pb.DELIVERY_STATUS_SCHEDULED: "SCHEDULED", pb.DELIVERY_STATUS_CANCELLED: "CANCELLED"}
_STATUSES = {name: value for value, name in _NAMES.items()}


def _proto(delivery: Delivery) -> pb.Delivery:
    create_time, update_time = Timestamp(), Timestamp()
    create_time.FromDatetime(delivery.create_time)
    update_time.FromDatetime(delivery.update_time)
    return pb.Delivery(
        delivery_id=delivery.delivery_id or 0,
        order_id=delivery.order_id,
        user_id=delivery.user_id,
        address=delivery.address,
        status=_STATUSES[delivery.status],
        create_time=create_time,
        update_time=update_time,
    )
