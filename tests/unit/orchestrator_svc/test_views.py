"""What a filter of the API means, and how the saga is shown."""

from dataclasses import replace

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from orchestrator_svc.order_saga import ORDER_SAGA
from orchestrator_svc.views import declaration_view, filter_of, filter_under_way, saga_view
from sagakit.saga.instance import Instance, Status
from sagakit.testing import Conversation
from tests.unit.orchestrator_svc.messages import CREATED


def test_a_filter_without_status_and_ids_picks_what_is_under_way() -> None:
    assert filter_under_way(pb.SagaFilter(step="create-delivery")).under_way


@pytest.mark.parametrize(
    "asked", [pb.SagaFilter(status=pb.SAGA_STATUS_COMPLETED), pb.SagaFilter(order_ids=[7])], ids=["status", "ids"]
)
def test_whoever_names_a_status_or_ids_means_what_has_ended_as_well(asked: pb.SagaFilter) -> None:
    assert not filter_under_way(asked).under_way


def test_what_is_not_asked_for_lets_any_pass() -> None:
    wanted = filter_of(pb.SagaFilter(status=pb.SAGA_STATUS_RUNNING))
    assert (wanted.status, wanted.step, wanted.stuck, wanted.min_age, wanted.ids) == (Status.RUNNING, *[None] * 4)
    assert (wanted.retrying, wanted.reason) == (None, None)


@pytest.fixture
def running() -> Instance:
    return Conversation(ORDER_SAGA).hears(CREATED).instance


def test_a_saga_under_way_shows_the_command_that_it_waits_for(running: Instance) -> None:
    shown = saga_view(ORDER_SAGA, running)
    assert [(one.step, one.command, one.attempt) for one in shown.pending] == [
        ("decrease-product", "DecreaseProductCommand", 1)
    ]
    assert (shown.pending[0].waiting_since, shown.pending[0].deadline) == (shown.waiting_since, shown.deadline)


def test_a_saga_that_this_version_cannot_read_waits_for_a_command_without_a_name(running: Instance) -> None:
    unknown = replace(running, step="charge-card")
    assert [(one.step, one.command) for one in saga_view(ORDER_SAGA, unknown).pending] == [("charge-card", "")]


def test_a_saga_that_has_ended_waits_for_nothing(running: Instance) -> None:
    ended = replace(running, status=Status.COMPLETED, step=None, deadline=None)
    assert not saga_view(ORDER_SAGA, ended).pending


def test_the_declaration_has_the_steps_in_their_order() -> None:
    shown = declaration_view(ORDER_SAGA)
    assert (shown.name, shown.start) == ("order", "OrderCreated")
    assert [
        (one.name, one.command, one.command_topic, one.reply, one.undo_command, one.undo_reply, one.pivot)
        for one in shown.steps
    ] == [
        (
            "decrease-product",
            "DecreaseProductCommand",
            "decrease-product-command",
            "ProductDecreased",
            "IncreaseProductCommand",
            "ProductIncreased",
            False,
        ),
        (
            "create-delivery",
            "CreateDeliveryCommand",
            "create-delivery-command",
            "DeliveryCreated",
            "CancelDeliveryCommand",
            "DeliveryCancelled",
            True,
        ),
    ]
    assert (shown.completed_command, shown.compensated_command) == ("CompleteOrderCommand", "CancelOrderCommand")
