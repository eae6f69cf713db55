"""Wires the order service together and runs it: ``python -m order_svc [migrate]``."""

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.order.v1 import order_pb2
from ordersaga.order.v1.order_pb2_grpc import add_OrderServiceServicer_to_server
from pydantic import Field

from order_svc.announcer import Announcer
from order_svc.api import OrderService
from order_svc.cancelling import Cancelling
from order_svc.handlers import REASONS, cancel_orders, complete_orders
from order_svc.intake import Intake
from order_svc.manifest import MANIFEST
from order_svc.recovery import Recovery
from order_svc.store import CHANNEL
from sagakit.consumer.dispatch import dispatcher
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.relay import Relay
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.notifications import NotificationListener
from sagakit.rpc.server import Api
from sagakit.service.life import Parts, Wiring, main
from sagakit.service.settings import ServiceSettings


class OrderSettings(ServiceSettings):
    """What the order service reads from its environment."""

    outbox_age_seconds: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="Age at which the relay publishes an outbox row that the fast path has left, in seconds.",
    )
    outbox_interval_seconds: float = Field(
        default=1.0, gt=0, le=3600, description="How often the relay looks for such rows, in seconds."
    )
    outbox_limit: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000,
        description="Rows that the outbox may hold; with Kafka away for longer, calls are RESOURCE_EXHAUSTED.",
    )
    announce_after_seconds: float = Field(
        default=120.0,
        gt=0,
        le=86_400,
        description="How long an order is PENDING before it is announced again, in seconds; it doubles each time.",
    )
    announce_interval_seconds: float = Field(
        default=5.0, gt=0, le=3600, description="How often the announcer looks for such orders, in seconds."
    )
    announce_limit: int = Field(default=200, ge=1, le=10_000, description="Most orders announced again in one pass.")


def wire(parts: Parts[OrderSettings]) -> Wiring:
    """Put the service together."""
    read = parts.settings
    listener = NotificationListener(read.database_url, CHANNEL)
    bound = OutboxBound(parts.database, limit=read.outbox_limit, interval_seconds=read.outbox_interval_seconds)
    writer = OutboxWriter(parts.database, parts.codec, parts.producer, bound)
    recovery = Recovery(
        parts.database, parts.codec, read.kafka_client(), announce_after_seconds=read.announce_after_seconds
    )
    intake = Intake(writer, announce_after_seconds=read.announce_after_seconds)
    service = OrderService(parts.database, intake, Cancelling(writer), listener)
    return Wiring(
        apis=[
            Api.of(
                order_pb2.DESCRIPTOR.services_by_name["OrderService"],
                scope,
                service,
                add_OrderServiceServicer_to_server,
            )
        ],
        handle=recovery.guarding(dispatcher(complete_orders, cancel_orders)),
        reasons=REASONS,
        prepare=recovery.recover,
        background=[_relay(parts), _announcer(parts), recovery],
        tasks=[listener.run, bound.run],
        drain=writer.drain,
    )


def _relay(parts: Parts[OrderSettings]) -> Relay:
    read = parts.settings
    return Relay(
        parts.database,
        parts.producer,
        age_seconds=read.outbox_age_seconds,
        interval_seconds=read.outbox_interval_seconds,
    )


def _announcer(parts: Parts[OrderSettings]) -> Announcer:
    read = parts.settings
    return Announcer(
        parts.database,
        parts.codec,
        parts.producer,
        after_seconds=read.announce_after_seconds,
        interval_seconds=read.announce_interval_seconds,
        limit=read.announce_limit,
    )


if __name__ == "__main__":
    main(MANIFEST, OrderSettings, wire)
