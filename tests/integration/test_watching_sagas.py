"""What a watch of sagas goes by."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import psycopg
from google.protobuf.duration_pb2 import Duration
from ordersaga.messages import OrderCreated
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from psycopg.conninfo import conninfo_to_dict

from devstack.stack import Stack
from orchestrator_svc.api import OrchestratorService
from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.messages import Message
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.store import CHANNEL, SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.settings import DatabaseSettings
from tests.support.scratch import migrated_database
from tests.unit.orchestrator_svc.messages import CREATED

STORE = SagaStore(OrderCreated)
HALF_AN_HOUR = Duration(seconds=round(timedelta(minutes=30).total_seconds()))


def let_its_clock_be_an_hour_fast(dsn: str) -> None:
    """Put another ``now()`` before PostgreSQL's own in the sessions that begin from here on."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA fast")
        owner.execute(
            "CREATE FUNCTION fast.now() RETURNS timestamptz LANGUAGE sql STABLE"
            " RETURN pg_catalog.now() + interval '1 hour'"
        )
        name = str(conninfo_to_dict(dsn)["dbname"])
        owner.execute(f'ALTER DATABASE "{name}" SET search_path = fast, pg_catalog, public'.encode())


def test_a_saga_is_as_old_as_the_clock_of_its_database_says(stack: Stack) -> None:
    dsn = migrated_database(stack, "orchestrator_svc")
    address = DatabaseSettings.model_validate({"database_url": dsn}).database_url
    started = Message(CREATED, CREATED.TOPIC, 0, 0, "message-1", None)
    before = Database(address, 1)
    with before.pipeline() as pipeline:
        SagaEngine(ORDER_SAGA, STORE).handle([started], pipeline)
    before.close()
    let_its_clock_be_an_hour_fast(dsn)

    async def first_saga() -> int:
        lag = GroupLag({"bootstrap.servers": stack.bootstrap}, "orchestrator_svc", [])
        listener = NotificationListener(address, CHANNEL)
        service = OrchestratorService(database, ORDER_SAGA, STORE, listener, lag)
        request = pb.WatchSagasRequest(filter=pb.SagaFilter(min_age=HALF_AN_HOUR))
        async with asyncio.timeout(20):
            return (await anext(service.WatchSagas(request, cast("Any", None)))).saga.order_id

    database = Database(address, 2)
    try:
        assert asyncio.run(first_saga()) == CREATED.order_id
    finally:
        database.close()
