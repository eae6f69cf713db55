"""The system with one of its guards taken out. The simulation has to miss each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from unittest.mock import patch

from ordersaga.messages import CreateDeliveryCommand, OrderCancelRequested

import delivery_svc.handlers
import product_svc.handlers
import sagakit.orchestrator.course
import sagakit.orchestrator.timers
from delivery_svc.deliveries import UNDONE, Delivery
from delivery_svc.deliveries import Wanted as WantedDelivery
from product_svc.stock import Movement, Shelf, Wanted
from sagakit.outbox.relay import Relay
from sagakit.postgres.pipeline import Deferred, Transaction
from sagakit.records import Record
from sagakit.saga.advance import advance
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Instance, Status
from sagakit.saga.overdue import TIMED_OUT, overdue
from sagakit.saga.transition import Fit, Moves, Transition
from sagakit.testing.world.database import of
from tests.chaos.simulation.actions import (
    DELIVERY,
    ORCHESTRATOR,
    Action,
    AddPartition,
    CancelOrder,
    Place,
    Process,
    Progress,
    Wait,
)
from tests.chaos.simulation.services import SAGA
from tests.chaos.simulation.stores import DeliveryStore, StockStore
from tests.chaos.simulation.world import Kind

Mistake = Callable[[Instance | None, Record], Instance | None]


class Mutant(NamedTuple):
    """A guard taken out, and the invariant that must be found broken."""

    take_out: Callable[[], AbstractContextManager[object]]
    invariant: int
    run: Sequence[Action] = ()
    """What shows it, where that is too rare to be met by chance in a second or two."""


class _StockWithoutTombstones(StockStore):
    def add_movements(self, tx: Transaction, movements: Sequence[Movement]) -> None:
        super().add_movements(tx, [movement for movement in movements if not movement.undone])


class _DeliveriesWithoutTombstones(DeliveryStore):
    def add(
        self, tx: Transaction, wanted: Sequence[tuple[WantedDelivery, str | None]]
    ) -> Deferred[dict[int, Delivery]]:
        added = super().add(tx, wanted)
        for delivery in added().values():
            if delivery.refusal == UNDONE:
                del of(tx).write("deliveries")[delivery.order_id]
        return added


class _ForgetfulStock(StockStore):
    """It takes stock without a look at whether the order has its pieces already."""

    def take(self, tx: Transaction, wanted: Sequence[Wanted]) -> Deferred[set[int]]:  # noqa: ARG002 - as the store's
        return set[int]

    def lock(
        self, tx: Transaction, product_ids: Iterable[int], order_ids: Iterable[int]
    ) -> tuple[dict[int, Shelf], dict[int, Movement]]:
        shelves, movements = super().lock(tx, product_ids, order_ids)
        return shelves, {key: one for key, one in movements.items() if not one.holds_stock}

    def add_movements(self, tx: Transaction, movements: Sequence[Movement]) -> None:
        for movement in movements:
            of(tx).write("movements").pop(movement.order_id, None)
        super().add_movements(tx, movements)


def _any_reply_will_do(instance: Instance | None, message: Record) -> Instance | None:
    for step in SAGA.steps:
        if instance is not None and isinstance(message, step.done):
            return replace(instance, status=Status.RUNNING, step=step.name)
    return instance


def _never_too_late(instance: Instance | None, message: Record) -> Instance | None:
    if instance is not None and instance.ended and isinstance(message, OrderCancelRequested):
        return replace(instance, status=Status.RUNNING, step=SAGA.steps[-1].name)
    return instance


def _advance_with(mistake: Mistake) -> AbstractContextManager[object]:
    def mistaken(one: Saga, instance: Instance | None, message: Record, message_id: str, now: datetime) -> Transition:
        return advance(one, mistake(instance, message), message, message_id, now)

    return patch.object(sagakit.orchestrator.course, "advance", mistaken)


def late_successes_kept() -> AbstractContextManager[object]:
    """Take out the second guard behind others: a step whose success comes after all is undone."""
    return patch("sagakit.saga.advance._Advance._undo_of", lambda *_: None)


@contextmanager
def _leave_the_pending_step_out() -> Iterator[None]:
    with patch.object(sagakit.orchestrator.timers, "overdue", _undo_all_but_the_pending_step), late_successes_kept():
        yield


def _undo_all_but_the_pending_step(one: Saga, instance: Instance, now: datetime) -> Transition:
    transition = overdue(one, instance, now)
    if transition.fit is Fit.GAVE_UP and instance.step:
        short = Moves(one, now).compensate(one.position(instance.step) - 1, TIMED_OUT)
        return replace(transition, saga=replace(instance, **short, version=transition.saga.version))
    return transition


MUTANTS = {
    "an undone order that was never seen leaves no tombstone in stock": Mutant(
        lambda: patch.object(product_svc.handlers, "store", _StockWithoutTombstones()), 8
    ),
    "an undone order that was never seen leaves no tombstone in deliveries": Mutant(
        lambda: patch.object(delivery_svc.handlers, "store", _DeliveriesWithoutTombstones()), 8
    ),
    "an undo that another partition lets overtake its command leaves no tombstone in deliveries": Mutant(
        lambda: patch.object(delivery_svc.handlers, "store", _DeliveriesWithoutTombstones()),
        7,
        (
            *(Place(Kind.GOOD), Place(Kind.GOOD), Progress(3)),
            *(AddPartition(CreateDeliveryCommand.TOPIC), AddPartition(CreateDeliveryCommand.TOPIC), Wait(15)),
            *(CancelOrder(2), Process(ORCHESTRATOR), Process(DELIVERY, limit=1, first=2)),
        ),
    ),
    "stock is taken as often as it is asked for": Mutant(
        lambda: patch.object(product_svc.handlers, "store", _ForgetfulStock()), 2
    ),
    "a reply is not compared with the pending step": Mutant(lambda: _advance_with(_any_reply_will_do), 6),
    "a cancel is accepted after the pivot": Mutant(lambda: _advance_with(_never_too_late), 6),
    "a time-out leaves the pending step out of the compensation": Mutant(_leave_the_pending_step_out, 3),
    "repeats are not answered": Mutant(
        lambda: patch.object(Transition, "send", property(lambda one: one.fit is Fit.ADVANCED)), 1
    ),
    "the outbox has no relay": Mutant(lambda: patch.object(Relay, "relay_once", lambda _: 0), 5),
}
