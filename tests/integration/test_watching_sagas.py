"""What a watch of sagas goes by."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration
from ordersaga.messages import OrderCreated, ProductDecreased
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from psycopg.conninfo import conninfo_to_dict

from devstack.stack import Stack
from orchestrator_svc import api
from orchestrator_svc.api import OrchestratorService
from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.errors import Unavailable
from sagakit.messages import Message
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.store import CHANNEL, SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener, notify
from sagakit.postgres.settings import DatabaseSettings
from tests.support.scratch import migrated_database
from tests.support.watching import Headers, listening, watch
from tests.unit.orchestrator_svc.messages import CREATED, refused_stock

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
    handle(database, [replace(CREATED, order_id=order_id) for order_id in ids])


def handle(database: Database, records: Sequence[OrderCreated | ProductDecreased]) -> None:
    """Let the engine handle a batch of ``records``."""
    messages = [
        Message(record, record.TOPIC, 0, offset, f"message-{record.TOPIC}-{record.order_id}", None)
        for offset, record in enumerate(records)
    ]
    with database.pipeline() as pipeline:
        SagaEngine(ORDER_SAGA, STORE).handle(messages, pipeline)


def test_a_watch_shows_each_of_many_sagas_once_those_that_were_there_and_those_that_begin(stack: Stack) -> None:
    there, begun = range(1, 1251), range(2001, 3251)

    async def watched() -> Counter[int]:
        seen, stream = Counter[int](), watch(service, Headers())
        async with asyncio.timeout(60), listening(listener), aclosing(stream):
            while len(seen) < len(there):
                seen[(await anext(stream)).saga.order_id] += 1
            await asyncio.to_thread(begin, database, begun)
            while len(seen) < len(there) + len(begun):
                seen[(await anext(stream)).saga.order_id] += 1
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
        async with asyncio.timeout(20), listening(listener):
            return (await anext(watch(service, Headers(), request))).saga.order_id

    with served(stack, dsn) as (service, listener, _):
        assert asyncio.run(first_saga()) == CREATED.order_id


def test_a_saga_that_begins_and_ends_once_the_headers_have_come_is_shown(stack: Stack) -> None:
    """What keeps the watch from listening, at first, is a transaction that changes something just then."""
    ids, others = range(1, 4), range(101, 104)

    async def watched() -> set[int]:
        context = Headers()
        stream = watch(service, context)
        async with asyncio.timeout(60), listening(listener), aclosing(stream):
            with database.transaction() as tx:
                notify(tx, CHANNEL, [0])
                tx.execute("SELECT 1").fetchall()  # it has the lock by now
                first = asyncio.create_task(anext(stream))
                await asyncio.sleep(1)
                assert not context.sent.is_set(), "it does not listen yet"
            await context.sent.wait()
            await asyncio.to_thread(begin_and_end, database, ids)
            seen = {(await first).saga.order_id}
            while len(seen) < len(ids):
                seen.add((await anext(stream)).saga.order_id)
        return seen

    with served(stack, migrated_database(stack, "orchestrator_svc")) as (service, listener, database):
        begin_and_end(database, others)
        assert asyncio.run(watched()) == set(ids)


def test_each_end_is_shown_where_no_filter_is_given_also_of_a_saga_that_was_not_shown_before(stack: Stack) -> None:
    ids = range(1, 4)
    ended = dict.fromkeys(ids, pb.SAGA_STATUS_COMPENSATED)

    async def watched() -> None:
        context = Headers()
        stream = watch(service, context)
        async with asyncio.timeout(60), listening(listener), aclosing(stream):
            first = asyncio.create_task(anext(stream))
            await context.sent.wait()
            begin_and_end(database, ids)  # in the event loop's thread: what is notified is read once they have ended
            shown = {saga.order_id: saga.status for saga in [(await first).saga]}
            while shown != ended:
                saga = (await anext(stream)).saga
                shown[saga.order_id] = saga.status

    with served(stack, migrated_database(stack, "orchestrator_svc")) as (service, listener, database):
        asyncio.run(watched())


def begin_and_end(database: Database, ids: Sequence[int]) -> None:
    """Let a saga of each of ``ids`` begin, and end."""
    begin(database, ids)
    handle(database, [replace(refused_stock("OUT_OF_STOCK"), order_id=order_id) for order_id in ids])


def test_a_watch_that_cannot_listen_says_so_and_shows_nothing_that_may_have_gaps(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_LISTEN_SECONDS", 0.2)

    async def asked() -> None:
        context = Headers()
        with pytest.raises(Unavailable, match="changes cannot be heard of now"):
            await anext(watch(service, context))
        assert not context.sent.is_set()

    with served(stack, migrated_database(stack, "orchestrator_svc")) as (service, _, _):
        asyncio.run(asked())  # nobody runs the listener
