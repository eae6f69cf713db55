"""Where the load goes: each module has a till of its own, which knows how each call will be answered."""

from collections.abc import Iterator

import pytest
from ordersaga.order.v1.order_pb2_grpc import OrderServiceServicer

from tests.support.served import served


@pytest.fixture
def address(till: OrderServiceServicer) -> Iterator[str]:
    """Where the module's till is served."""
    with served(till) as address:
        yield address
