"""What ``GetOrder`` says of an order that the database does not have."""

from collections.abc import Iterator
from typing import Any

import pytest
from ordersaga.order.v1 import order_pb2 as pb

from devstack.stack import Stack
from order_svc.api import OrderService
from sagakit.errors import NotFound, Unavailable
from sagakit.postgres.database import Database
from sagakit.rpc.callers import ANYONE, make_current
from tests.support.going_back import replace_tables
from tests.support.scratch import database_of, migrated_database


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    """A database that has all that was acknowledged."""
    database = database_of(migrated_database(stack, "order_svc"))
    with database.transaction() as tx:
        database.timelines.look(tx)
    database.timelines.whole = database.timelines.number
    yield database
    database.close()


async def get(database: Database, order_id: int) -> pb.GetOrderResponse:
    unused: Any = None
    make_current(ANYONE)
    service = OrderService(database, intake=unused, cancelling=unused, listener=unused)
    return await service.GetOrder(pb.GetOrderRequest(order_id=order_id), unused)


async def test_an_order_that_is_not_in_a_whole_database_does_not_exist(database: Database) -> None:
    with pytest.raises(NotFound, match="there is no order 7"):
        await get(database, 7)


async def test_an_order_that_is_not_in_other_tables_than_were_there_may_be_restored_yet(database: Database) -> None:
    await database.run(lambda tx: replace_tables(tx, "consumed_offsets"))
    with pytest.raises(Unavailable, match="not restored yet"):
        await get(database, 7)
