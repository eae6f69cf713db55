"""What a filter of the API means."""

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from orchestrator_svc.views import filter_of
from sagakit.saga.instance import Status


def test_a_filter_without_status_and_ids_picks_what_is_under_way() -> None:
    assert filter_of(pb.SagaFilter(step="create-delivery")).under_way


@pytest.mark.parametrize(
    "asked", [pb.SagaFilter(status=pb.SAGA_STATUS_COMPLETED), pb.SagaFilter(order_ids=[7])], ids=["status", "ids"]
)
def test_whoever_names_a_status_or_ids_means_what_has_ended_as_well(asked: pb.SagaFilter) -> None:
    assert not filter_of(asked).under_way


def test_what_is_not_asked_for_lets_any_pass() -> None:
    wanted = filter_of(pb.SagaFilter(status=pb.SAGA_STATUS_RUNNING))
    assert (wanted.status, wanted.step, wanted.stuck, wanted.min_age, wanted.ids) == (Status.RUNNING, *[None] * 4)
