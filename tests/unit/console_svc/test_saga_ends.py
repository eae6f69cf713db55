"""A saga ended when it ended, whatever was asked of it afterwards; and sentences tell its state as it is."""

from collections.abc import Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from console_svc.saga import end_of
from console_svc.saga_words import sentence
from tests.support.asked_console import Answer, asking

DONE, REFUSED = pb.SAGA_EVENT_TYPE_STEP_DONE, pb.SAGA_EVENT_TYPE_STEP_REFUSED
UNDONE, RETRIED = pb.SAGA_EVENT_TYPE_STEP_UNDONE, pb.SAGA_EVENT_TYPE_RETRIED
STARTED, TOO_LATE = pb.SAGA_EVENT_TYPE_STARTED, pb.SAGA_EVENT_TYPE_CANCEL_TOO_LATE
COMPLETED, COMPENSATED = pb.SAGA_STATUS_COMPLETED, pb.SAGA_STATUS_COMPENSATED


def events(*kinds: tuple[pb.SagaEventType.ValueType, int]) -> list[pb.SagaEvent]:
    return [pb.SagaEvent(version=n, type=kind, create_time=at(s)) for n, (kind, s) in enumerate(kinds, 1)]


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=1_790_000_000 + seconds)


def ended(status: pb.SagaStatus.ValueType = COMPLETED, last_change: int = 601) -> pb.Saga:
    return pb.Saga(order_id=5, status=status, create_time=at(0), update_time=at(last_change))


STORIES: dict[str, tuple[pb.SagaStatus.ValueType, list[pb.SagaEvent], Timestamp | None]] = {
    "completed": (COMPLETED, events((STARTED, 0), (DONE, 1), (DONE, 2)), at(2)),
    "completed-and-retried": (COMPLETED, events((STARTED, 0), (DONE, 1), (DONE, 2), (RETRIED, 601)), at(2)),
    "completed-and-cancelled": (COMPLETED, events((STARTED, 0), (DONE, 2), (TOO_LATE, 9)), at(2)),
    "taken-back": (COMPLETED, events((STARTED, 0), (DONE, 2), (REFUSED, 50), (UNDONE, 60)), at(2)),
    "undone-and-retried": (COMPENSATED, events((DONE, 1), (REFUSED, 2), (UNDONE, 3), (RETRIED, 601)), at(3)),
    "refused-at-once": (COMPENSATED, events((STARTED, 0), (REFUSED, 2), (RETRIED, 601)), at(2)),
    "retried-for-pages": (COMPLETED, events((RETRIED, 600), (RETRIED, 601)), None),
    "under-way": (pb.SAGA_STATUS_RUNNING, events((STARTED, 0), (DONE, 1)), None),
}


@pytest.mark.parametrize(("status", "history", "end"), STORIES.values(), ids=STORIES)
def test_a_saga_ended_with_the_event_that_ended_it(
    status: pb.SagaStatus.ValueType, history: Sequence[pb.SagaEvent], end: Timestamp | None
) -> None:
    assert end_of(ended(status), list(history)) == end


def answers(saga: pb.Saga, *history: pb.SagaEvent) -> dict[str, Answer]:
    return {
        "GetSaga": lambda _: pb.GetSagaResponse(saga=saga, history=history),
        "ListSagas": lambda _: pb.ListSagasResponse(sagas=[saga]),
        "CountSagas": lambda _: pb.CountSagasResponse(),
        "GetSagaDeclaration": lambda _: steps_pb2.GetSagaDeclarationResponse(name="order"),
    }


async def test_a_saga_that_was_asked_again_after_its_end_did_not_take_till_then() -> None:
    history = events((STARTED, 0), (DONE, 1), (DONE, 2), (RETRIED, 601))
    async with asking(answers(ended(), *history)) as visitor:
        page, rows = (await visitor.get("/sagas/5")).text, (await visitor.get("/sagas")).text
        older = (await visitor.get("/sagas/5?before=x")).text
    assert "All steps are done; it took 2 s." in page
    assert "after 10 min 1 s" in page
    assert "/sagas/5" in rows
    assert "10 min" not in rows
    assert "All steps are done." in older
    assert "<dt>Ended" not in older


async def test_a_saga_that_was_left_alone_has_an_end_and_no_later_change() -> None:
    history = events((STARTED, 0), (DONE, 1), (DONE, 2))
    async with asking(answers(ended(last_change=2), *history)) as visitor:
        page = (await visitor.get("/sagas/5")).text
    assert "<dt>Ended" in page
    assert "took 2 s" in page
    assert "<dt>Last change" not in page


def test_a_saga_that_undoes_is_not_said_to_be_asked_again_for_its_reason() -> None:
    pending = steps_pb2.PendingCommand(step="create-delivery", command="CancelDeliveryCommand", attempt=14)
    saga = pb.Saga(order_id=5, status=pb.SAGA_STATUS_COMPENSATING, reason="TIMED_OUT", pending=[pending])
    assert sentence(saga).endswith("undoing create-delivery because of TIMED_OUT; asked 14 times so far.")
