"""What is said about one order, by everyone."""

from datetime import UTC, datetime, timedelta

from ordersaga.messages import (
    CancelDeliveryCommand,
    CancelOrderCommand,
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCancelled,
    DeliveryCreated,
    IncreaseProductCommand,
    OrderCancelRequested,
    OrderCreated,
    ProductDecreased,
    ProductIncreased,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREATED = OrderCreated(
    order_id=7, user_id=1, product_id=2, quantity=3, price=10_000, address="Main Street 1", create_time=NOW
)
CANCEL = OrderCancelRequested(
    order_id=7,
    user_id=1,
    product_id=2,
    quantity=3,
    price=10_000,
    address="Main Street 1",
    create_time=NOW,
    actor="ann",
    reason="changed my mind",
    request_time=NOW + timedelta(minutes=1),
)
DECREASE = DecreaseProductCommand(order_id=7, product_id=2, quantity=3, price=10_000)
INCREASE = IncreaseProductCommand(order_id=7, product_id=2, quantity=3)
DELIVER = CreateDeliveryCommand(order_id=7, user_id=1, address="Main Street 1")
UNDELIVER = CancelDeliveryCommand(order_id=7, user_id=1, address="Main Street 1")
COMPLETE = CompleteOrderCommand(order_id=7)

DECREASED = ProductDecreased(order_id=7, success=True, reason=None)
INCREASED = ProductIncreased(order_id=7)
DELIVERED = DeliveryCreated(order_id=7, success=True, delivery_id=70, reason=None)
UNDELIVERED = DeliveryCancelled(order_id=7)


def refused_stock(reason: str) -> ProductDecreased:
    return ProductDecreased(order_id=7, success=False, reason=reason)


def refused_delivery(reason: str) -> DeliveryCreated:
    return DeliveryCreated(order_id=7, success=False, delivery_id=None, reason=reason)


def cancel_with(reason: str) -> CancelOrderCommand:
    return CancelOrderCommand(order_id=7, reason=reason)
