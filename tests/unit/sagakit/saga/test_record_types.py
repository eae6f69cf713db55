"""A saga's declaration says which messages it hears and which it sends, so that nobody lists them beside it."""

from dataclasses import replace

import pytest
from ordersaga.messages import (
    CancelDeliveryCommand,
    CancelOrderCommand,
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DeliveryCancelled,
    DeliveryCreated,
    OrderCancelRequested,
    OrderCreated,
)

from sagakit.saga import Backoff, Cancel, Saga, Step, seconds


def deliver(order: OrderCreated) -> CreateDeliveryCommand:
    raise NotImplementedError


def take_back(order: OrderCreated) -> CancelDeliveryCommand:
    raise NotImplementedError


def complete(order: OrderCreated) -> CompleteOrderCommand:
    raise NotImplementedError


def cancel(order: OrderCreated, reason: str) -> CancelOrderCommand:
    raise NotImplementedError


DELIVER = Step(
    "deliver", do=deliver, done=DeliveryCreated, undo=take_back, undone=DeliveryCancelled,
    timeout=seconds(1), retry=Backoff(attempts=1, cap=seconds(1)),
)  # fmt: skip
SAGA = Saga(
    name="short", start=OrderCreated, steps=(DELIVER,), on_completed=complete, on_compensated=cancel,
    cancel=Cancel(OrderCancelRequested, start=lambda request: request, note=str),
)  # fmt: skip


def test_a_saga_hears_its_start_its_cancel_and_each_step_s_replies() -> None:
    assert SAGA.hears == (OrderCreated, OrderCancelRequested, DeliveryCreated, DeliveryCancelled)


def test_a_saga_sends_what_the_functions_of_its_declaration_are_annotated_with() -> None:
    assert SAGA.commands == (CreateDeliveryCommand, CancelDeliveryCommand, CompleteOrderCommand, CancelOrderCommand)


def test_a_function_without_the_type_of_its_command_is_named() -> None:
    silent = replace(SAGA, on_completed=lambda order: CompleteOrderCommand(order_id=order.order_id))
    with pytest.raises(ValueError, match=r"saga short: annotate what .*<lambda> returns: the type of the command"):
        _ = silent.commands
