"""Processes of services: the real code, wired as `sagakit.service.life` does."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from sagakit.avro.codec import Codec
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handle, dispatcher
from sagakit.families import passes
from sagakit.kafka.consumed import Partition
from sagakit.kafka.producer import Producer
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.operators import Operators
from sagakit.orchestrator.timers import Timers
from sagakit.postgres.database import Database as Connections
from sagakit.saga import Saga
from sagakit.testing.world.broker import Broker
from sagakit.testing.world.database import Database, MemoryServer, Now
from sagakit.testing.world.faults import Machine
from sagakit.testing.world.green import CLOCK, Green
from sagakit.testing.world.sagas import MemorySagaStore

if TYPE_CHECKING:
    from sagakit.postgres.address import DatabaseAddress

_LIMIT = 200
BATCH_SIZE = 500
_MOST_TURNS = 10_000
_POLL_SECONDS = 0.3
"""Longer than a consumer waits for a message before it looks whether it is to stop."""


class Home(Protocol):
    """What a process knows of its service."""

    name: str
    topics: Sequence[str]
    handlers: Sequence[Any]
    broker: Broker
    now: Now
    codec: Codec
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
        self.codec = self.service.codec
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
        """Make the parts of the process beside its consumer; return the function that handles messages."""
        return dispatcher(*self.service.handlers)

    @property
    def waiting(self) -> Collection[int]:
        """The ids of the sagas that it drives and that have not ended."""
        return ()

    def run(self) -> None:
        """Run its threads until all of them wait."""
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
        """Do ``job`` in a thread of its own; a passing error ends it, and as in production it is tried again later."""

        def attempt() -> None:
            try:
                job()
            except Exception as error:
                if not passes(error):
                    raise

        Green(self, attempt)

    def kill(self) -> None:
        """End it at once; what it has not committed is lost."""
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


class OrchestratorProcess(Process):
    """An orchestrator of one saga, with its timers and its operators."""

    def __init__(self, service: Home, saga: Saga) -> None:
        """Start a process of ``service`` that drives ``saga``."""
        self.saga, self.sagas = saga, MemorySagaStore(saga.start)
        super().__init__(service)

    def equip(self) -> Handle:
        """Make the timers and what operators do, and return the engine."""
        self.silence = Silence(GroupLag(self.client, self.service.name, self.service.topics))
        self.timers = Timers(
            self.database,
            self.saga,
            self.sagas,
            self.codec,
            self.producer,
            lag=self.silence,
            interval_seconds=1.0,
            limit=_LIMIT,
        )
        self.operators = Operators(self.saga, self.sagas)
        return SagaEngine(self.saga, self.sagas).handle

    @property
    def waiting(self) -> Collection[int]:
        """The ids of the sagas that have not ended."""
        return [saga_id for saga_id, saga in self.service.database.rows("sagas").items() if not saga.ended]

    def fire_timers(self) -> None:
        """Let the sagas whose deadline has passed go on."""
        self.silence.is_handled()  # it compares with what the look before has found
        self.timers.fire_once()


class Silence:
    """Looks for unread replies, as production does; a hasty one does not, as if a reply came right after the look."""

    def __init__(self, lag: GroupLag) -> None:
        """Look with ``lag``."""
        self.lag, self.hasty = lag, False

    def is_handled(self) -> bool:
        """Say whether nothing lies unread, as of now."""
        self.lag.look()
        return self.hasty or self.lag.is_handled()

    def is_missing(self, stored: Mapping[Partition, int]) -> bool:
        """Say whether the database went back behind what the group has committed."""
        return self.lag.is_missing(stored)
