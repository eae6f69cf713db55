"""What a watch of sagas goes by."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
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
NOBODY = cast("Any", None)
"""The context of a call that no server makes."""
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


@contextmanager
def served(stack: Stack, dsn: str) -> Iterator[tuple[OrchestratorService, NotificationListener, Database]]:
    """Yield the API on the database at ``dsn``, with the listener that somebody has to run."""
    address = DatabaseSettings.model_validate({"database_url": dsn}).database_url
    database, listener = Database(address, 2), NotificationListener(address, CHANNEL)
    lag = GroupLag({"bootstrap.servers": stack.bootstrap}, "orchestrator_svc", [])
    try:
        yield OrchestratorService(database, ORDER_SAGA, STORE, listener, lag), listener, database
    finally:
        database.close()


def begin(database: Database, ids: Sequence[int]) -> None:
    """Let a saga begin for each of ``ids``, all in one transaction."""
    starts = [
        Message(replace(CREATED, order_id=order_id), CREATED.TOPIC, 0, offset, f"message-{order_id}", None)
        for offset, order_id in enumerate(ids)
    ]
    with database.pipeline() as pipeline:
        SagaEngine(ORDER_SAGA, STORE).handle(starts, pipeline)


def test_a_watch_shows_each_of_many_sagas_once_those_that_were_there_and_those_that_begin(stack: Stack) -> None:
    there, begun = range(1, 1251), range(2001, 3251)

    async def watched() -> Counter[int]:
        running, seen = asyncio.create_task(listener.run()), Counter[int]()
        watch = cast("AsyncGenerator[pb.WatchSagasResponse]", service.WatchSagas(pb.WatchSagasRequest(), NOBODY))
        try:
            async with asyncio.timeout(60), aclosing(watch):
                while len(seen) < len(there):
                    seen[(await anext(watch)).saga.order_id] += 1
                await asyncio.to_thread(begin, database, begun)
                while len(seen) < len(there) + len(begun):
                    seen[(await anext(watch)).saga.order_id] += 1
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return seen

    with served(stack, migrated_database(stack, "orchestrator_svc")) as (service, listener, database):
        begin(database, there)
        assert asyncio.run(watched()) == Counter([*there, *begun])


def test_a_saga_is_as_old_as_the_clock_of_its_database_says(stack: Stack) -> None:
    dsn = migrated_database(stack, "orchestrator_svc")
    with served(stack, dsn) as (_, _, before):
        begin(before, [CREATED.order_id])
    let_its_clock_be_an_hour_fast(dsn)

    async def first_saga() -> int:
        request = pb.WatchSagasRequest(filter=pb.SagaFilter(min_age=HALF_AN_HOUR))
        async with asyncio.timeout(20):
            return (await anext(service.WatchSagas(request, NOBODY))).saga.order_id

    with served(stack, dsn) as (service, _, _):
        assert asyncio.run(first_saga()) == CREATED.order_id
