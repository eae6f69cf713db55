"""Processes of the four services: the real code, wired as each one's ``__main__`` does."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from ordersaga.messages import OrderCreated

from orchestrator_svc.order_saga import ORDER_SAGA
from order_svc.announcer import Announcer
from order_svc.cancelling import Cancelling
from order_svc.intake import Intake
from sagakit.avro.codec import Codec
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handle, dispatcher
from sagakit.errors import Refused
from sagakit.families import passes
from sagakit.kafka.consumed import Partition
from sagakit.kafka.producer import Producer
from sagakit.messages import Outgoing
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.operators import Operators
from sagakit.orchestrator.timers import Timers
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.relay import Relay
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.database import Database as Connections
from sagakit.records import Record
from tests.chaos.simulation.broker import Broker, Stored
from tests.chaos.simulation.database import Database, MemoryServer, Now
from tests.chaos.simulation.faults import Machine
from tests.chaos.simulation.green import CLOCK, Green
from tests.chaos.simulation.loop import Loop
from tests.chaos.simulation.stores import MemorySagaStore
from tests.support.grown import CONTRACTS, Registry

if TYPE_CHECKING:
    from sagakit.postgres.address import DatabaseAddress

SAGAS = MemorySagaStore(OrderCreated)
ANNOUNCE_AFTER = 120.0
RELAY_AFTER = 5.0
_LIMIT = 200
BATCH_SIZE = 500
_MOST_TURNS = 10_000
_POLL_SECONDS = 0.3
"""Longer than a consumer waits for a message before it looks whether it is to stop."""


class Home(Protocol):
    """What a process knows of the service that it is of."""

    name: str
    topics: Sequence[str]
    handlers: Sequence[Any]
    broker: Broker
    now: Now
    database: Database


class Process(Machine):
    """One process of a service."""

    def __init__(self, service: Home) -> None:
        """Start a process of ``service``."""
        super().__init__()
        self.service = service
        client: dict[str, Any] = {"broker": service.broker, "process": self}
        self.client: Mapping[str, str | int | float | bool] = client
        Green(self, self._begin)

    def _begin(self) -> None:
        server = MemoryServer(self.service.database, self, self.service.now)
        self.database = Connections(cast("DatabaseAddress", server), 5)
        self.producer = Producer(self.client, self._fail)
        self.producer.learn_partitions()
        self.codec = codec()
        self.consumer = Consumer(
            self.client,
            self.service.name,
            self.service.topics,
            self.equip(),
            codec=self.codec,
            database=self.database,
            producer=self.producer,
            batch_size=BATCH_SIZE,
            on_crash=self._fail,
        )
        self.consumer.start()

    def equip(self) -> Handle:
        """Make what else the process has, and return what it does with messages."""
        return dispatcher(*self.service.handlers)

    def run(self) -> None:
        """Let its threads go on until all of them wait."""
        for _ in range(_MOST_TURNS):
            self.threads = [one for one in self.threads if not one.dead]
            due = next((one for one in self.threads if one.runnable), None)
            if due is None or self.dead:
                return
            self.threads.remove(due)
            self.threads.append(due)
            due.switch()
        raise AssertionError(f"{self.service.name} does not come to rest: {self.threads}")

    def begin(self, job: Callable[[], object]) -> None:
        """Do ``job`` in a thread of its own; as in production, what passes by itself is left to the next time."""

        def attempt() -> None:
            try:
                job()
            except Exception as error:
                if not passes(error):
                    raise

        Green(self, attempt)

    def kill(self) -> None:
        """End it at once, with all that it has not written down."""
        self.dead = True
        for name, member in self.members:
            self.service.broker.fence(name, member)
        while self.threads:
            self.threads.pop().end()

    def leave(self) -> None:
        """End it in good order, as a deployment does."""
        self.begin(self.consumer.stop)
        self.run()
        CLOCK.sleep(_POLL_SECONDS)
        self.run()
        self.dead = True

    def _fail(self, reason: str) -> None:
        raise AssertionError(f"{self.service.name} cannot go on: {reason}")


class OrderProcess(Process):
    """order_svc, with its calls, its relay and its announcer."""

    def equip(self) -> Handle:
        self.outbox_bound = OutboxBound(self.database, limit=1000, interval_seconds=1.0)
        writer = OutboxWriter(self.database, self.codec, self.producer, self.outbox_bound)
        self.intake = Intake(writer, announce_after_seconds=ANNOUNCE_AFTER)
        self.cancelling = Cancelling(writer)
        self.relay = Relay(self.database, self.producer, age_seconds=RELAY_AFTER, interval_seconds=1.0)
        self.announcer = Announcer(
            self.database,
            self.codec,
            self.producer,
            after_seconds=ANNOUNCE_AFTER,
            interval_seconds=5.0,
            limit=_LIMIT,
        )
        self._loop = Loop()
        self._calls: set[Any] = set()
        Green(self, self._serve)
        return super().equip()

    def call(self, *calls: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have ``calls`` come in together; what they raise is for their callers."""
        self._loop.call_soon_threadsafe(lambda: self._calls.update(map(self._answered, calls)))

    def _answered(self, call: Callable[[], Coroutine[Any, Any, None]]) -> object:
        async def answered() -> None:
            try:
                await call()
            except Exception as error:
                if not (passes(error) or isinstance(error, Refused)):
                    raise

        return self._loop.create_task(answered())

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class OrchestratorProcess(Process):
    """orchestrator_svc, with its timers and its operators."""

    def equip(self) -> Handle:
        self.silence = Silence(GroupLag(self.client, self.service.name, self.service.topics))
        self.timers = Timers(
            self.database,
            ORDER_SAGA,
            SAGAS,
            self.codec,
            self.producer,
            lag=self.silence,
            interval_seconds=1.0,
            limit=_LIMIT,
        )
        self.operators = Operators(ORDER_SAGA, SAGAS)
        return SagaEngine(ORDER_SAGA, SAGAS).handle


class Silence:
    """The real look for what lies unread; or, where a run is hasty, none: what comes at that moment is not seen."""

    def __init__(self, lag: GroupLag) -> None:
        """Look with ``lag``."""
        self.lag, self.hasty = lag, False

    def is_handled(self) -> bool:
        self.lag.look()
        return self.hasty or self.lag.is_handled()

    def is_missing(self, stored: Mapping[Partition, int]) -> bool:
        return self.lag.is_missing(stored)


@cache
def codec() -> Codec:
    """Return what every process encodes and decodes with, its schemas looked up."""
    registry = Registry()
    registry.register(CONTRACTS)
    return registry.codec(CONTRACTS)


def decoded(topic: str, stored: Stored) -> Record:
    """Return what a message of one of the six topics tells."""
    return codec().decode(topic, stored.key, stored.value, dict(stored.headers))


def encoded(record: Record) -> bytes:
    """Return the bytes of ``record``."""
    return codec().encode(Outgoing(record)).value or b""
