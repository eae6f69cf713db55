"""Wires the order service together and runs it: ``python -m order_svc [migrate]``."""

from ordersaga.messages import CancelOrderCommand, CompleteOrderCommand, OrderCreated
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from pydantic import Field

from chassis.changes import ChangeFeed
from chassis.dispatch import dispatcher
from chassis.outbox import Relay
from chassis.rpc_server import Api
from chassis.service import Parts, Wiring, main
from chassis.settings import ServiceSettings
from order_svc.api import OrderService
from order_svc.handlers import CHANNEL, cancel_orders, complete_orders
from order_svc.intake import Intake


class OrderSettings(ServiceSettings):
    """What the order service reads from its environment."""

    outbox_age_seconds: float = Field(
        default=5.0, gt=0, description="Age from which the relay takes outbox rows for left behind, in seconds."
    )
    outbox_interval_seconds: float = Field(
        default=1.0, gt=0, description="How often the relay looks for such rows, in seconds."
    )


def wire(parts: Parts[OrderSettings]) -> Wiring:
    """Put the service together."""
    read = parts.settings
    feed = ChangeFeed(read.database_url, CHANNEL)
    intake = Intake(parts.async_engine, parts.codec, parts.producer)
    service = OrderService(parts.async_engine, intake, feed)
    name = order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name
    relay = Relay(
        parts.engine,
        parts.producer,
        age_seconds=read.outbox_age_seconds,
        interval_seconds=read.outbox_interval_seconds,
    )
    return Wiring(
        apis=[Api(name, lambda server: order_pb2_grpc.add_OrderServiceServicer_to_server(service, server))],
        topics=[CompleteOrderCommand.TOPIC],
        handle=dispatcher(complete_orders, cancel_orders),
        background=[relay],
        tasks=[feed.run],
        drain=intake.drain,
    )


if __name__ == "__main__":
    main("order_svc", OrderSettings, (OrderCreated, CompleteOrderCommand, CancelOrderCommand), wire)
