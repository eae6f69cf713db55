"""What a caller sees of the orders of a list."""

from datetime import UTC, datetime

import pytest
import structlog
from google.rpc.code_pb2 import INTERNAL, INVALID_ARGUMENT, UNAVAILABLE
from structlog.testing import capture_logs

from order_svc.orders import Order, OrderStatus
from order_svc.views import result_views
from sagakit.errors import InvalidArgument, Unavailable, Violation

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ORDER = Order(7, 1, 2, 3, 500, "Main Street 1", OrderStatus.PENDING, None, NOW, NOW)


def test_each_order_or_error_stands_in_its_place() -> None:
    bad = InvalidArgument(Violation("quantity", "too few"))
    stored, refused, stored_too = result_views([ORDER, bad, ORDER])
    assert (stored.order.order_id, stored_too.order.create_time.ToDatetime(UTC)) == (7, NOW)
    assert (refused.HasField("order"), refused.error.code) == (False, INVALID_ARGUMENT)
    assert refused.error.message == "quantity: too few"


@pytest.mark.parametrize(("error", "code"), [(Unavailable("not yet"), UNAVAILABLE), (KeyError("secret"), INTERNAL)])
def test_an_error_that_many_orders_share_is_the_answer_to_each_and_logged_once(error: Exception, code: int) -> None:
    structlog.reset_defaults()  # starting a stack in this process has silenced all loggers
    with capture_logs() as logged:
        results = result_views([error] * 500)
    assert {result.error.code for result in results} == {code}
    assert len({result.error.message for result in results}) == 1
    assert len(logged) == 1
