"""The order saga: its steps in their order, each with its command and the command that undoes it."""

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

from sagakit.saga import Backoff, Cancel, Saga, Step, minutes, seconds


def decrease_product(order: OrderCreated) -> DecreaseProductCommand:
    """Ask product_svc for the order's pieces, at the price that the customer saw."""
    return DecreaseProductCommand(
        order_id=order.order_id, product_id=order.product_id, quantity=order.quantity, price=order.price
    )


def increase_product(order: OrderCreated) -> IncreaseProductCommand:
    """Ask product_svc to take the order's pieces back."""
    return IncreaseProductCommand(order_id=order.order_id, product_id=order.product_id, quantity=order.quantity)


def create_delivery(order: OrderCreated) -> CreateDeliveryCommand:
    """Ask delivery_svc to deliver."""
    return CreateDeliveryCommand(order_id=order.order_id, user_id=order.user_id, address=order.address)


def cancel_delivery(order: OrderCreated) -> CancelDeliveryCommand:
    """Ask delivery_svc to cancel the delivery."""
    return CancelDeliveryCommand(order_id=order.order_id, user_id=order.user_id, address=order.address)


def complete_order(order: OrderCreated) -> CompleteOrderCommand:
    """Have order_svc complete the order."""
    return CompleteOrderCommand(order_id=order.order_id)


def cancel_order(order: OrderCreated, reason: str) -> CancelOrderCommand:
    """Have order_svc cancel the order, with the reason."""
    return CancelOrderCommand(order_id=order.order_id, reason=reason)


def order_in(request: OrderCancelRequested) -> OrderCreated:
    """Return the order that a request to cancel carries, in case that arrives before the order itself."""
    return OrderCreated(
        order_id=request.order_id,
        user_id=request.user_id,
        product_id=request.product_id,
        quantity=request.quantity,
        price=request.price,
        address=request.address,
        create_time=request.create_time,
    )


def note(request: OrderCancelRequested) -> str:
    """Return who asked for a cancel and why, for the history."""
    return f"{request.actor}: {request.reason}"


ORDER_SAGA = Saga(
    name="order",
    start=OrderCreated,
    steps=(
        Step(
            "decrease-product",
            do=decrease_product,
            done=ProductDecreased,
            undo=increase_product,
            undone=ProductIncreased,
            timeout=seconds(60),
            retry=Backoff(attempts=5, cap=minutes(10)),
        ),
        Step(
            "create-delivery",
            pivot=True,
            do=create_delivery,
            done=DeliveryCreated,
            undo=cancel_delivery,
            undone=DeliveryCancelled,
            timeout=seconds(60),
            retry=Backoff(attempts=5, cap=minutes(10)),
        ),
    ),
    on_completed=complete_order,
    on_compensated=cancel_order,
    cancel=Cancel(OrderCancelRequested, start=order_in, note=note),
)
