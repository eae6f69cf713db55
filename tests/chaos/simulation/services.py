"""The four services."""

from functools import partial

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
from sagakit.testing.world.processes import OrchestratorProcess
from sagakit.testing.world.services import Service
from sagakit.testing.world.world import World
from tests.chaos.simulation.processes import OrderProcess


def order_service(world: World) -> Service:
    handlers = [complete_orders, cancel_orders]
    return world.add("order_svc", [CompleteOrderCommand.TOPIC], handlers=handlers, kind=OrderProcess)


def product_service(world: World) -> Service:
    handlers = [decrease_product, increase_product]
    return world.add("product_svc", [DecreaseProductCommand.TOPIC], handlers=handlers)


def delivery_service(world: World) -> Service:
    handlers = [create_delivery, cancel_delivery]
    return world.add("delivery_svc", [CreateDeliveryCommand.TOPIC], handlers=handlers)


def orchestrator(world: World) -> Service:
    topics = [OrderCreated.TOPIC, ProductDecreased.TOPIC, DeliveryCreated.TOPIC]
    return world.add("orchestrator_svc", topics, kind=partial(OrchestratorProcess, saga=ORDER_SAGA))
