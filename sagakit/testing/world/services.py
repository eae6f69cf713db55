"""Services: each has a database and a group of its own, and mostly one process."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sagakit.avro.codec import Codec
from sagakit.dead_letters.letter import topic_of
from sagakit.kafka.consumed import Partition
from sagakit.testing.world.broker import Broker
from sagakit.testing.world.database import Database, Now
from sagakit.testing.world.faults import Fault
from sagakit.testing.world.processes import BATCH_SIZE, Home, Process


class Surroundings(NamedTuple):
    """What all services share."""

    broker: Broker
    now: Now
    codec: Codec


class Service:
    """One service: its database and its processes, mostly one."""

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        around: Surroundings,
        *,
        handlers: Sequence[Any] = (),
        kind: Callable[[Home], Process] = Process,
    ) -> None:
        """Make the service ``name``, whose processes are of ``kind`` and handle ``topics`` by ``handlers``."""
        self.name, self.topics, self.handlers = name, topics, handlers
        self.broker, self.now, self.codec, self._kind = *around, kind
        self.database = Database()
        self.processes: list[Process] = []
        self.kept: dict[str, Mapping[Any, Any]] = {}
        self.went_back = False

    @property
    def process(self) -> Process:
        """The process that has run longest of those that run."""
        return next(one for one in self.processes if not one.stopped)

    def start(self) -> None:
        """Start one process more."""
        self.processes.append(self._kind(self))
        self.processes[-1].run()

    def consume(self, *, limit: int = BATCH_SIZE, first: int = 0, fault: Fault = Fault.NONE) -> bool:
        """Have one process consume up to ``limit`` messages, and meet ``fault``; say whether it took any."""
        running = [one for one in self.processes if not one.stopped]
        process = running[first % len(running)]
        process.allowance, process.first = limit, first
        self.do(process, lambda: None, fault)
        taken = process.allowance < limit
        process.allowance = 0
        return taken

    def do(self, process: Process, job: Callable[[], object], fault: Fault = Fault.NONE) -> None:
        """Have ``process`` do ``job`` and whatever else is due, and meet ``fault``."""
        process.fault = fault
        process.begin(job)
        process.run()
        process.fault = Fault.NONE
        self.tend()

    def run(self) -> None:
        """Run every process that has something to do."""
        for process in [one for one in self.processes if not one.stopped]:
            process.run()
        self.tend()

    def tend(self) -> None:
        """Replace processes that died, fence those that stand still, and start one where none is left."""
        for process in [one for one in self.processes if one.dead]:
            process.kill()
            self.processes.remove(process)
        for process in self.processes:
            if process.stopped:
                for name, member in process.members:
                    self.broker.fence(name, member)
        if all(one.stopped for one in self.processes):
            self.start()

    def wake(self) -> None:
        """Have stopped processes finish what they were about to do; they find that others have their partitions."""
        woken = [one for one in self.processes if one.stopped]
        for process in woken:
            process.stopped = False
            process.run()
        for process in woken:
            self.leave(process)

    def leave(self, process: Process) -> None:
        """End ``process`` in good order; where it was the last, another one starts."""
        process.leave()
        self.tend()

    def keep(self) -> None:
        """Back the database up."""
        self.kept = dict(self.database.tables)

    def restore(self) -> None:
        """Put the database back to its backup; no process is informed."""
        self.went_back = True
        self.database.restore(self.kept)

    @property
    def letters(self) -> str:
        """Its dead-letter topic."""
        return topic_of(self.name)

    @property
    def has_handled_all(self) -> bool:
        """Whether its group has committed all that its topics hold."""
        committed = self.broker.group(self.name).committed
        return all(
            place in committed and committed[place].offset == self.broker.end(place)
            for place in self.broker.places(self.topics)
            if self.broker.log(place)
        )

    @property
    def stored(self) -> Mapping[Partition, int]:
        """The offsets that the database has stored."""
        return self.database.rows("consumed_offsets")
