"""Every rule that a request breaks is reported once, and a large request costs no more for that."""

import pytest
from google.protobuf.message import Message
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.order.v1 import order_pb2

from sagakit.errors import InvalidArgument
from sagakit.rpc.statuses import status_of
from sagakit.rpc.validation import check

METADATA_BYTES = 8192
"""What a gRPC client takes as a response's metadata before it may refuse the whole response."""
TOO_MANY = ("filter.order_ids", "must contain no more than 1000 item(s)")
NOT_POSITIVE = ("filter.order_ids", "must be greater than 0")


def refused(request: Message) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        check(request)
    return caught.value


def retry_of(*order_ids: int, actor: str = "someone") -> pb.RetrySagasRequest:
    return pb.RetrySagasRequest(filter=pb.SagaFilter(order_ids=order_ids), actor=actor)


def test_a_good_request_passes() -> None:
    check(retry_of(*range(1, 1001)))


def test_each_field_that_breaks_a_rule_is_reported() -> None:
    refusal = refused(order_pb2.CreateOrderRequest(price=-1))
    assert sorted(field for field, _ in refusal.violations) == ["price", "product_id", "quantity", "user_id"]


def test_a_rule_that_many_items_break_is_reported_once() -> None:
    assert refused(retry_of(*[0] * 1000)).violations == (NOT_POSITIVE,)
    assert refused(retry_of(*[0] * 1001)).violations == (TOO_MANY, NOT_POSITIVE)


def test_of_a_very_large_request_the_first_broken_rule_is_enough() -> None:
    assert refused(retry_of(*[0] * 1_000_000, actor="")).violations == (TOO_MANY,)


@pytest.mark.parametrize("count", [1, 100, 1000, 4000, 100_000])
def test_however_many_items_are_bad_the_refusal_fits_into_a_responses_metadata(count: int) -> None:
    _, status = status_of(refused(retry_of(*[0] * count, actor="")), "ordersaga")
    assert len(status.message) + status.ByteSize() * 4 / 3 < METADATA_BYTES / 2
