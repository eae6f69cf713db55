"""All there is in a world in memory: a broker, services, and a time that only the test moves.

::

    with simulated():
        world = World({"trip-planned": 2, "book-hotel": 2, "hotel-booked": 2}, codec_of(TripPlanned, BookHotel, …))
        hotels = world.add("hotels", ["book-hotel"], handlers=[book_hotel])
        trips = world.add("trips", ["trip-planned", "hotel-booked"], kind=partial(OrchestratorProcess, saga=TRIP_SAGA))
        world.publish(TripPlanned(7, "Rome", 2))
        trips.consume()
        hotels.consume(fault=Fault.BEFORE_COMMIT)
        assert world.settle()
        world.end()
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sagakit.avro.codec import Codec
from sagakit.kafka.partitioner import Partitioner
from sagakit.messages import Outgoing
from sagakit.offsets.stored_offsets import MARK
from sagakit.records import Record
from sagakit.testing.world.broker import Broker, Committed
from sagakit.testing.world.database import Now
from sagakit.testing.world.green import CLOCK
from sagakit.testing.world.processes import Home, Process
from sagakit.testing.world.services import Service, Surroundings

_MOMENT = 0.3
"""Longer than a consumer waits for more before it stores and commits offsets."""
_LONG = 6.0
"""Longer than a consumer backs off."""
_ROUNDS_TO_REST = 30


class World:
    """A broker with services. Its methods are what can happen; none of them looks at the time or draws lots."""

    def __init__(self, topics: Mapping[str, int], codec: Codec) -> None:
        """Make a world with ``topics``, each of so many partitions, whose messages ``codec`` reads and writes."""
        CLOCK.now = 1_000_000.0
        self.now = Now(datetime(2026, 1, 1, tzinfo=UTC))
        self.broker = Broker(topics)
        self.codec = codec
        self.services: list[Service] = []
        self._topics = tuple(topics)

    def add(
        self,
        name: str,
        topics: Sequence[str],
        *,
        handlers: Sequence[Any] = (),
        kind: Callable[[Home], Process] = Process,
    ) -> Service:
        """Add a service that consumes ``topics``, by ``handlers`` or as processes of its ``kind`` do, and start it."""
        service = Service(name, topics, Surroundings(self.broker, self.now, self.codec), handlers=handlers, kind=kind)
        self.broker.topics[service.letters] = [[]]
        self.services.append(service)
        service.start()
        return service

    def end(self) -> None:
        """End every process."""
        for service in self.services:
            for process in service.processes:
                process.kill()

    def publish(self, record: Record) -> None:
        """Publish ``record``, as a service outside of this world would."""
        message = self.codec.encode(Outgoing(record))
        partitioner = Partitioner()
        partitioner.learn({message.topic: len(self.broker.topics[message.topic])})
        place = message.topic, partitioner.of(message.topic, message.key)
        self.broker.append(place, message.key, message.value, message.headers)

    def records(self, topic: str) -> list[Record]:
        """Return the records in a topic, partition by partition."""
        messages = self.broker.messages([topic])
        return [self.codec.decode(topic, one.key, one.value, dict(one.headers)) for _, one in messages]

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and run whatever waited for it; a negative time sets the time of day back."""
        CLOCK.now += max(0.0, seconds)
        self.now.time += timedelta(seconds=seconds)
        for service in self.services:
            service.run()

    def settle(self) -> bool:
        """Let all services handle what there is; say whether that came to an end.

        Raises:
            AssertionError: a saga waits, and one of its messages lies in a topic that no service consumes.
        """
        for _ in range(_ROUNDS_TO_REST):
            for service in self.services:
                for process in service.processes:
                    process.allowance = float("inf")
            before = self._ends()
            self.pass_time(_MOMENT)
            if not all(service.has_handled_all for service in self.services):
                self.pass_time(_LONG)
            elif before == self._ends():
                self._check_readers()
                return True
        return False

    def rewind(self, service: Service, back: int, mark: str = MARK) -> None:
        """Restart a service whose group begins ``back`` messages earlier."""
        for process in service.processes:
            process.dead = True
        committed = self.broker.group(service.name).committed
        for place, one in committed.items():
            committed[place] = Committed(max(self.broker.begin(place), one.offset - back), mark)
        service.tend()

    def delete(self, topic: str) -> None:
        """Delete a topic with all that is in it, and make it anew once its consumers know."""
        partitions, self.broker.topics[topic] = self.broker.topics[topic], []
        self.pass_time(_MOMENT)
        self.broker.topics[topic] = partitions
        self.broker.empty(topic)
        self.pass_time(_MOMENT)

    def expire(self, topic: str) -> None:
        """Have a topic's retention delete what its group has committed."""
        (name,) = [service.name for service in self.services if topic in service.topics]
        for place, one in self.broker.group(name).committed.items():
            if place[0] == topic and one.offset > self.broker.begin(place):
                self.broker.trim(place, one.offset)

    def _check_readers(self) -> None:
        consumed = {topic for service in self.services for topic in service.topics}
        waiting = {saga_id for service in self.services for process in service.processes for saga_id in process.waiting}
        for topic in [one for one in self._topics if one not in consumed]:
            for record in self.records(topic):
                if record.key in waiting:
                    msg = f"saga {record.key} waits, and no service of this world consumes {topic}, where {record} lies"
                    raise AssertionError(msg)

    def _ends(self) -> list[int]:
        return [self.broker.end(place) for place in self.broker.places(self._topics)]
