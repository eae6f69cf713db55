"""The four services: each one's real handlers, with a database and a group of its own, and the ways it can die."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from ordersaga.messages import (
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    OrderCreated,
    ProductDecreased,
)

from chassis.dispatch import dispatcher
from chassis.errors import NotHeardOf, Poison
from chassis.messages import Handle, Message, Outgoing, Record
from chassis.pipeline import Transaction
from delivery_svc.handlers import cancel_delivery, create_delivery
from orchestrator_svc.order_saga import ORDER_SAGA
from order_svc.handlers import cancel_orders, complete_orders
from product_svc.handlers import decrease_product, increase_product
from saga.engine import SagaEngine
from tests.chaos.simulation.database import Database, Died, MemoryTransaction
from tests.chaos.simulation.log import Log, Place
from tests.chaos.simulation.stores import MemorySagaStore

SAGAS = MemorySagaStore(OrderCreated)


class Fault(StrEnum):
    """Where a process dies. It is started again at once."""

    NONE = "none"
    BEFORE_COMMIT = "before commit"
    BEFORE_PUBLISH = "after commit, before publish"
    IN_PUBLISH = "after part of the publish"
    BEFORE_OFFSETS = "after publish, before offset commit"
    STOPPED = "stopped before publish, and woken when others have gone on"
    """A SIGSTOP longer than the group's session: what it was about to publish comes late."""

    def __repr__(self) -> str:
        """Return what a failing run can be repeated with."""
        return f"Fault.{self.name}"


class Service:
    """One service. Its database and its place in the log outlive its process."""

    def __init__(self, name: str, topics: Sequence[str], start: Callable[[], Handle], log: Log) -> None:
        """Make the service ``name``, of which each process handles messages by what ``start`` returns."""
        self.name, self.topics = name, topics
        self.database = Database()
        self.parked: list[Message[Record]] = []
        self.passed_over: list[Message[Record]] = []
        """What was about something that the database had forgotten, and comes again with it."""
        self.stopped: list[list[Outgoing]] = []
        """What stopped processes will publish when they wake."""
        self.kept: dict[str, Mapping[Any, Any]] = {}
        self.went_back = False
        self.log, self._start, self._handle = log, start, start()

    def process(self, now: datetime, *, first: int = 0, limit: int = 500, fault: Fault = Fault.NONE) -> bool:
        """Take one batch through the consumer's stages; return whether there was one."""
        batch = self.log.fetch(self.name, self.topics, self.stored, first=first, limit=limit)
        if batch and self.work(batch, now, fault):
            handled = {(message.topic, message.partition): message.offset + 1 for message in batch}
            self.database.tables["consumed_offsets"] = {**self.stored, **handled}
            self.log.commit(self.name, batch)
        elif batch and fault is not Fault.STOPPED:
            self._handle = self._start()
        return bool(batch)

    def work(self, batch: Sequence[Message[Record]], now: datetime, fault: Fault) -> bool:
        """Handle ``batch``, halved where it is poisoned, as the chassis does; return False where the process died."""
        try:
            return self.transact(lambda tx: self._handle(batch, tx), now, fault)
        except Poison as error:
            if len(batch) == 1:
                # Where nothing tells that something is missing, as its offset was not stored yet, a letter is left.
                passed_over = isinstance(error, NotHeardOf) and (self.is_missing or self.went_back)
                (self.passed_over if passed_over else self.parked).append(batch[0])
                return True
        middle = len(batch) // 2
        return self.work(batch[:middle], now, fault) and self.work(batch[middle:], now, fault)

    def transact(self, act: Callable[[Transaction], Sequence[Outgoing]], now: datetime, fault: Fault) -> bool:
        """Commit what ``act`` does, then publish what it returns; return False where the process died on the way."""
        transaction = MemoryTransaction(self.database, now, dies=fault is Fault.BEFORE_COMMIT)
        try:
            outgoing = list(act(cast("Transaction", transaction)))
            transaction.commit()
        except Died:
            return False
        if fault is Fault.STOPPED:
            self.stopped.append(outgoing)
        elif fault is not Fault.BEFORE_PUBLISH:
            self.log.publish(outgoing[: len(outgoing) // 2] if fault is Fault.IN_PUBLISH else outgoing)
        return fault is Fault.NONE

    @property
    def stored(self) -> Mapping[Place, int]:
        """How far the database is."""
        return self.database.rows("consumed_offsets")

    @property
    def is_missing(self) -> bool:
        """Whether the database went back, and has less than the group has handled."""
        return self.log.is_missing(self.name, self.stored)

    def keep(self) -> None:
        """Back the database up."""
        self.kept = dict(self.database.tables)

    def restore(self) -> None:
        """Have the database be as it was backed up, and start the process again."""
        self.went_back = True
        self.database.tables = dict(self.kept)
        self._handle = self._start()

    def wake(self) -> None:
        """Let the stopped processes go on: they publish what they had committed, and find that the group is gone."""
        for outgoing in self.stopped:
            self.log.publish(outgoing)
        self.stopped = []


def order_service(log: Log) -> Service:
    return Service("order_svc", [CompleteOrderCommand.TOPIC], lambda: dispatcher(complete_orders, cancel_orders), log)


def product_service(log: Log) -> Service:
    handlers = decrease_product, increase_product
    return Service("product_svc", [DecreaseProductCommand.TOPIC], lambda: dispatcher(*handlers), log)


def delivery_service(log: Log) -> Service:
    handlers = create_delivery, cancel_delivery
    return Service("delivery_svc", [CreateDeliveryCommand.TOPIC], lambda: dispatcher(*handlers), log)


def orchestrator(log: Log) -> Service:
    topics = [OrderCreated.TOPIC, ProductDecreased.TOPIC, DeliveryCreated.TOPIC]
    return Service("orchestrator_svc", topics, lambda: SagaEngine(ORDER_SAGA, SAGAS).handle, log)
