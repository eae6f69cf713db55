"""Sagas that this version does not understand: each is flagged, shown and passed over, and all others go on."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar, cast

import pytest
from ordersaga.messages import OrderCreated
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from prometheus_client import REGISTRY

from devstack.stack import Stack
from orchestrator_svc.api import OrchestratorService
from orchestrator_svc.order_saga import ORDER_SAGA, decrease_product
from sagakit.errors import Refused
from sagakit.messages import Message
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.store import CHANNEL, SagaStore
from sagakit.postgres.address import DatabaseAddress
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.settings import DatabaseSettings
from sagakit.records import Record
from sagakit.rpc import callers
from tests.support.scratch import migrated_database
from tests.support.watching import Headers, listening, watch
from tests.unit.orchestrator_svc.messages import CANCEL, CREATED, DECREASED

T = TypeVar("T")
NUMBERS = count(100)
STORE = SagaStore(OrderCreated)
HARMS = {
    "a step that is not declared": ("step = 'charge-card'", "saga order has no step 'charge-card'"),
    "a status that is not known": ("status = 'PAUSED'", "this version does not know its status, PAUSED"),
    "a start that lacks fields": ("start = '{}'", "its start cannot be read: order_id: Field required"),
    "a start that is none": ("start = '[1]'", "its start cannot be read"),
    "a start with a number of 5,000 digits": (
        "start = jsonb_set(start, '{quantity}', repeat('9', 5000)::jsonb)",
        "its start cannot be read",
    ),
    "a start beyond the contracts' limits": (
        "start = jsonb_set(start, '{quantity}', '1000000000000000000000000000000')",
        "its start cannot be read: quantity",
    ),
    "a start of another saga": ("start = jsonb_set(start, '{order_id}', '7')", "its start is another saga's, 7"),
}
CALLER = cast("Any", None)


@pytest.fixture(autouse=True)
def anyone() -> None:
    """Let the calls come from whom the guard would let in."""
    callers.make_current(callers.ANYONE)


"""What a call says of its caller, which nothing here asks."""


@pytest.fixture(scope="module")
def address(stack: Stack) -> DatabaseAddress:
    return DatabaseSettings.model_validate({"database_url": migrated_database(stack, "orchestrator_svc")}).database_url


@pytest.fixture(scope="module")
def database(address: DatabaseAddress) -> Iterator[Database]:
    database = Database(address, 5)
    with database.transaction() as tx:  # as a later version's migration might
        tx.execute("ALTER TABLE sagas DROP CONSTRAINT sagas_status_check")
    yield database
    database.close()


@pytest.fixture
def listener(address: DatabaseAddress) -> NotificationListener:
    return NotificationListener(address, CHANNEL)


@pytest.fixture
def service(database: Database, listener: NotificationListener, stack: Stack) -> OrchestratorService:
    lag = GroupLag({"bootstrap.servers": stack.bootstrap}, "orchestrator_svc", [])
    return OrchestratorService(database, ORDER_SAGA, STORE, listener, lag)


@pytest.fixture(params=HARMS)
def bad(request: pytest.FixtureRequest, database: Database) -> tuple[OrderCreated, str]:
    """The start of a saga that is not understood, and why it is not."""
    harm, why = HARMS[request.param]
    order = begun(database)
    change(database, order, harm)
    return order, why


def begun(database: Database) -> OrderCreated:
    order = replace(CREATED, order_id=next(NUMBERS))
    hears(database, order)
    return order


def change(database: Database, order: OrderCreated, harm: str) -> None:
    with database.transaction() as tx:
        tx.execute(f"UPDATE sagas SET {harm} WHERE saga_id = {order.order_id}")  # noqa: S608 - constants


def hears(database: Database, *records: Record) -> list[Record]:
    """Have a process that was just started handle a batch; return the commands it brings about."""
    batch = [Message(record, record.TOPIC, 0, 0, f"message-{next(NUMBERS)}", None) for record in records]
    with database.pipeline() as pipeline:
        return [outgoing.record for outgoing in SagaEngine(ORDER_SAGA, STORE).handle(batch, pipeline)]


def run(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(call)


def shown(service: OrchestratorService, order: OrderCreated) -> pb.Saga:
    return run(service.GetSaga(pb.GetSagaRequest(order_id=order.order_id), CALLER)).saga


def test_its_messages_are_passed_over_and_it_is_flagged(
    database: Database, service: OrchestratorService, bad: tuple[OrderCreated, str]
) -> None:
    order, why = bad
    good = begun(database)
    passed_over = {"fit": "not_understood"}
    before = REGISTRY.get_sample_value("sagakit_saga_messages_total", passed_over)
    cancel = replace(CANCEL, order_id=order.order_id)
    reply = replace(DECREASED, order_id=order.order_id)
    assert hears(database, order, reply, cancel, good) == [decrease_product(good)]
    assert REGISTRY.get_sample_value("sagakit_saga_messages_total", passed_over) == (before or 0) + 3
    hears(database, order)
    saga = run(service.GetSaga(pb.GetSagaRequest(order_id=order.order_id), CALLER))
    assert saga.saga.stuck
    assert why in saga.saga.last_error
    events = [event for event in saga.history if event.type == pb.SAGA_EVENT_TYPE_STUCK]
    assert [why in event.reason for event in events] == [True], "once, however often it is met"


def test_it_is_shown_as_it_stands_among_the_others(
    database: Database, service: OrchestratorService, bad: tuple[OrderCreated, str]
) -> None:
    order, why = bad
    good = begun(database)
    found = run(service.ListSagas(pb.ListSagasRequest(page_size=2), CALLER)).sagas
    assert [saga.order_id for saga in found] == [good.order_id, order.order_id]
    assert found[0].pending_command == "DecreaseProductCommand"
    assert (found[1].pending_command, list(found[1].remaining_steps)) == ("", [])
    assert why in found[1].last_error
    assert found[1].step == ("charge-card" if "charge-card" in why else "decrease-product")
    assert found[1].status == (pb.SAGA_STATUS_UNSPECIFIED if "status" in why else pb.SAGA_STATUS_RUNNING)
    hears(database, order)
    stuck = run(service.ListSagas(pb.ListSagasRequest(stuck=True, page_size=1), CALLER)).sagas
    assert [saga.order_id for saga in stuck] == [order.order_id]


def test_operators_are_refused_it_and_act_on_all_others(
    database: Database, service: OrchestratorService, bad: tuple[OrderCreated, str]
) -> None:
    order, why = bad
    good = begun(database)
    both = pb.SagaFilter(order_ids=[order.order_id, good.order_id])
    retried = run(service.RetrySagas(pb.RetrySagasRequest(filter=both, actor="ann"), CALLER)).results
    request = pb.CancelSagasRequest(filter=both, actor="ann", reason="fraud")
    cancelled = run(service.CancelSagas(request, CALLER)).results
    for refused, done in (retried, cancelled):
        assert (refused.order_id, refused.error_reason) == (order.order_id, "NOT_UNDERSTOOD")
        assert why in refused.error_message
        assert (done.order_id, done.error_reason) == (good.order_id, "")
    with pytest.raises(Refused, match="can make nothing of saga"):
        run(service.RetrySaga(pb.RetrySagaRequest(order_id=order.order_id, actor="ann"), CALLER))


def test_it_is_watched_among_the_others(
    database: Database, service: OrchestratorService, listener: NotificationListener, bad: tuple[OrderCreated, str]
) -> None:
    order, why = bad
    good = begun(database)

    async def first_two() -> list[pb.Saga]:
        request = pb.WatchSagasRequest(filter=pb.SagaFilter(order_ids=[order.order_id, good.order_id]))
        stream = watch(service, Headers(), request)
        async with listening(listener):
            return [(await anext(stream)).saga for _ in range(2)]

    found = {saga.order_id: saga for saga in run(first_two())}
    assert found.keys() == {order.order_id, good.order_id}
    assert why in found[order.order_id].last_error


def test_once_its_row_is_mended_it_goes_on(database: Database, service: OrchestratorService) -> None:
    order = begun(database)
    change(database, order, "step = 'charge-card'")
    hears(database, order)
    change(database, order, "step = 'decrease-product'")
    assert hears(database, order) == [decrease_product(order)]
    retried = run(service.RetrySaga(pb.RetrySagaRequest(order_id=order.order_id, actor="ann"), CALLER)).saga
    assert (retried.stuck, retried.pending_command) == (False, "DecreaseProductCommand")


def test_a_line_of_a_kind_that_this_version_does_not_know_is_shown_with_its_name(
    database: Database, service: OrchestratorService
) -> None:
    order = begun(database)
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO saga_events (create_time, saga_id, version, type, reason, message_id)"
            " VALUES ('infinity', %(id)s, 2, 'PAUSED', 'until Monday', '')",
            {"id": order.order_id},
        )
    history = run(service.GetSaga(pb.GetSagaRequest(order_id=order.order_id), CALLER)).history
    assert [event.type for event in history] == [pb.SAGA_EVENT_TYPE_STARTED, pb.SAGA_EVENT_TYPE_UNSPECIFIED]
    assert history[1].reason == "PAUSED: until Monday"
