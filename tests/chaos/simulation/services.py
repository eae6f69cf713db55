"""The four services, and the order saga as far as they carry it out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ordersaga.messages import (
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    OrderCreated,
    ProductDecreased,
)

from delivery_svc.handlers import cancel_delivery, create_delivery
from orchestrator_svc.order_saga import ORDER_SAGA
from order_svc.handlers import cancel_orders, complete_orders
from product_svc.handlers import decrease_product, increase_product
from sagakit.consumer.dispatch import Handler
from sagakit.saga import Step
from sagakit.testing.world.processes import OrchestratorProcess
from sagakit.testing.world.services import Service
from sagakit.testing.world.world import World
from tests.chaos.simulation.processes import OrderProcess

HANDLERS: Mapping[str, Sequence[Handler[Any, Any]]] = {
    "order_svc": [complete_orders, cancel_orders],
    "product_svc": [decrease_product, increase_product],
    "delivery_svc": [create_delivery, cancel_delivery],
}
"""Of the services whose stores there are in memory."""
_HANDLED = {handler.record_type for handlers in HANDLERS.values() for handler in handlers}


def _is_carried_out(step: Step) -> bool:
    return _HANDLED.issuperset(replace(ORDER_SAGA, steps=(step,)).commands)


SAGA = replace(ORDER_SAGA, steps=tuple(filter(_is_carried_out, ORDER_SAGA.steps)))
"""The order saga without the steps of services that have no store in memory: their commands would wait for ever."""


def order_service(world: World) -> Service:
    return world.add("order_svc", [CompleteOrderCommand.TOPIC], handlers=HANDLERS["order_svc"], kind=OrderProcess)


def product_service(world: World) -> Service:
    return world.add("product_svc", [DecreaseProductCommand.TOPIC], handlers=HANDLERS["product_svc"])


def delivery_service(world: World) -> Service:
    return world.add("delivery_svc", [CreateDeliveryCommand.TOPIC], handlers=HANDLERS["delivery_svc"])


def orchestrator(world: World) -> Service:
    topics = [OrderCreated.TOPIC, ProductDecreased.TOPIC, DeliveryCreated.TOPIC]
    return world.add("orchestrator_svc", topics, kind=partial(OrchestratorProcess, saga=SAGA))
