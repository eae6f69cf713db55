"""Kafka's clients, as far as the kit uses them, on a broker in memory.

What the real clients do (as written in librdkafka's INTRODUCTION.md and rdkafka.h, confluent-kafka's API):

- Callbacks - assigned, revoked, lost, committed, statistics - come from within `poll`, `consume` and `close`. Who
  assigns incrementally in them says itself where each partition is read on. After what is revoked comes what is
  assigned instead, be it nothing.
- A partition that is not sought or assigned otherwise is read on behind what was read last; an offset that is not
  there is *out of range*, and what ``auto.offset.reset`` says is done: it is read from its beginning.
- A consumer reports the end of a partition once, each time that it reaches it.
- A partition that was paused may be paused still when it comes back from another member; here it is.
- An asynchronous commit is answered later; one of a member that was fenced is refused.
- A message is in flight until a flush; then its report says that it was acknowledged, or that this is not known: it
  may be in the log all the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition

from sagakit.kafka.consumed import Partition
from sagakit.testing.world.broker import Broker, Committed, Headers
from sagakit.testing.world.faults import Fault, Machine
from sagakit.testing.world.green import CLOCK, wait

_CONNECTED = '{"brokers": {"one": {"nodeid": 1, "state": "UP"}}}'
Callback = Callable[["MemoryConsumer", list[TopicPartition]], None]


class _Client:
    """What consumers and producers have in common."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """Connect to the broker of ``properties``, for the process that stands there."""
        self.broker: Broker = properties["broker"]
        self.process: Machine = properties["process"]
        self._properties = properties

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> SimpleNamespace:  # noqa: ARG002
        numbers = {name: dict.fromkeys(range(len(held))) for name, held in self.broker.topics.items()}
        topics = {name: SimpleNamespace(partitions=found, error=None) for name, found in numbers.items()}
        return SimpleNamespace(topics=topics)

    def poll(self, timeout: float = -1) -> Message | None:  # noqa: ARG002
        return None


class MemoryConsumer(_Client):
    """A consumer. It is given as many messages as its process is allowed."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """Connect; the group is joined once it has subscribed."""
        super().__init__(properties)
        self._group = str(properties["group.id"])
        self.topics: Sequence[str] = ()
        self._on: dict[str, Callback] = {}
        self._at: dict[Partition, int] = {}
        """What is assigned, and where it is read on."""
        self._read: set[Partition] = set()
        self._reported_end: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._answers: list[tuple[KafkaError | None, list[TopicPartition]]] = []
        self._joined = self._fenced = False

    def subscribe(self, topics: Sequence[str], *, on_assign: Callback, on_revoke: Callback, on_lost: Callback) -> None:
        self.topics = topics
        self._on = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self.broker.join(self._group, self)
        self._joined = True
        self.process.members.append((self._group, self))
        self._properties["stats_cb"](_CONNECTED)

    def fenced(self) -> None:
        self._fenced = True

    def poll(self, timeout: float = -1) -> Message | None:
        self._call_back()
        if not self._something():
            self.process.at_rest()
            wait(CLOCK.now + timeout, self._something)
            self._call_back()
        return self._next()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:  # noqa: ARG002 - nothing is waited for
        found: list[Message] = []
        while len(found) < num_messages and (one := self._next()) is not None:
            found.append(one)
        return found

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        for one in partitions:
            place = one.topic, one.partition
            if one.offset == OFFSET_INVALID:
                committed = self.broker.group(self._group).committed.get(place)
                self._at[place] = committed.offset if committed else self.broker.begin(place)
            else:
                self._at[place] = self.broker.begin(place) if one.offset == OFFSET_BEGINNING else one.offset
            self._read.discard(place)
            self._reported_end.pop(place, None)

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        for one in partitions:
            del self._at[one.topic, one.partition]

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused |= {(one.topic, one.partition) for one in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused -= {(one.topic, one.partition) for one in partitions}

    def seek(self, partition: TopicPartition) -> None:
        place = partition.topic, partition.partition
        if place not in self._at:
            raise KafkaException(KafkaError(KafkaError._STATE))  # noqa: SLF001 - its public name
        self._at[place] = partition.offset
        self._reported_end.pop(place, None)

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(one.topic, one.partition, self._at[place] if place in self._read else OFFSET_INVALID)
            for one in partitions
            for place in [(one.topic, one.partition)]
        ]

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool = True) -> None:
        wanted = {(one.topic, one.partition): Committed(one.offset, one.metadata or "") for one in offsets}
        if self.process.meets(Fault.OFFSETS_REFUSED):
            refused = dict.fromkeys(wanted, int(KafkaError.NOT_COORDINATOR))
        else:
            refused = self.broker.commit(self._group, self, wanted)
        if asynchronous:
            for one in offsets:  # one by one, as the error of a partition cannot be set from outside the real client
                code = refused.get((one.topic, one.partition))
                self._answers.append((None if code is None else KafkaError(code), [one]))
        elif refused.keys() == wanted.keys():
            raise KafkaException(KafkaError(next(iter(refused.values()))))

    def committed(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:  # noqa: ARG002
        committed = self.broker.group(self._group).committed
        none = Committed(OFFSET_INVALID, "")
        return [
            TopicPartition(one.topic, one.partition, *committed.get((one.topic, one.partition), none))
            for one in partitions
        ]

    def get_watermark_offsets(
        self,
        partition: TopicPartition,
        timeout: float = -1,  # noqa: ARG002
        *,
        cached: bool = False,  # noqa: ARG002
    ) -> tuple[int, int]:
        place = partition.topic, partition.partition
        return self.broker.begin(place), self.broker.end(place)

    def close(self) -> None:
        if self._joined:
            self._joined = False
            if not self._fenced:
                self._call("revoke", self._at)
            self.broker.leave(self._group, self)

    def _call_back(self) -> None:
        answers, self._answers = self._answers, []
        for error, partitions in answers:
            self._properties["on_commit"](error, partitions)
        if self._fenced:
            self._fenced = False
            self._call("lost", self._at)
            self.broker.join(self._group, self)
        owned = self.broker.group(self._group).owned[self]
        if gone := self.broker.to_let_go(self._group, self):
            self._call("revoke", gone)
            owned -= gone
        if (new := self.broker.to_take(self._group, self)) or gone:
            owned |= new
            self._call("assign", new)

    def _call(self, what: str, places: Collection[Partition]) -> None:
        self._on[what](self, [TopicPartition(*place) for place in sorted(places)])

    def _something(self) -> bool:
        if self._answers or self._fenced or self._next_place() is not None or self._place_at_end() is not None:
            return True
        return bool(self.broker.to_let_go(self._group, self) or self.broker.to_take(self._group, self))

    def _next(self) -> Message | None:
        place = self._next_place()
        if place is not None:
            stored = self.broker.hand_out(self._group, place, self._at[place])
            self._at[place] = stored.offset + 1
            self._read.add(place)
            self.process.allowance -= 1
            return Message(place[0], place[1], stored.offset, stored.key, stored.value, list(stored.headers))
        place = self._place_at_end()
        if place is None:
            return None
        self._reported_end[place] = self._at[place]
        end = KafkaError(KafkaError._PARTITION_EOF)  # noqa: SLF001 - its public name
        return Message(topic=place[0], partition=place[1], offset=self._at[place], error=end)

    def _next_place(self) -> Partition | None:
        """Return the partition that the next message is taken of, if there is one that may be taken."""
        if self.process.allowance <= 0:
            return None
        places = [place for place in sorted(self._at) if place not in self._paused]
        turn = self.process.first % len(places) if places else 0
        for place in places[turn:] + places[:turn]:
            begin, end = self.broker.begin(place), self.broker.end(place)
            if not begin <= self._at[place] <= end:
                self._at[place] = begin
            if self._at[place] < end:
                return place
        return None

    def _place_at_end(self) -> Partition | None:
        for place, at in self._at.items():
            if place not in self._paused and at == self.broker.end(place) and self._reported_end.get(place) != at:
                return place
        return None


class MemoryProducer(_Client):
    """A producer. What it is given lingers until it is flushed."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """Connect."""
        super().__init__(properties)
        self._queue: list[tuple[Partition, Message, Callable[[KafkaError | None, Message], None]]] = []

    def produce(  # noqa: PLR0913 - as the client has it
        self,
        topic: str,
        *,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Headers,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        count = len(self.broker.topics[topic])
        if partition >= count:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))  # noqa: SLF001 - its public name
        number = partition if partition >= 0 else crc32(key or b"") % count
        message: Message = Message(topic=topic, partition=number, key=key, value=value, headers=list(headers))
        self._queue.append(((topic, number), message, on_delivery))

    def flush(self, timeout: float = -1) -> int:  # noqa: ARG002
        """Send what lingers, and report what became of it."""
        queue, self._queue = self._queue, []
        if not queue:
            return 0
        process = self.process
        process.before_publish()
        if process.meets(Fault.PUBLISH_REFUSED):
            queue, kept = [], queue
            self._report(kept, KafkaError(KafkaError._MSG_TIMED_OUT))  # noqa: SLF001 - its public name
        dies = process.meets(Fault.IN_PUBLISH)
        sent = queue[: len(queue) // 2] if dies else queue
        for place, message, _ in sent:
            self.broker.append(place, message.key(), message.value(), message.headers() or [])  # type: ignore[arg-type]
        if dies:
            process.die()
        unheard = process.meets(Fault.PUBLISH_UNHEARD)
        self._report(sent, KafkaError(KafkaError._MSG_TIMED_OUT) if unheard else None)  # noqa: SLF001
        return 0

    @staticmethod
    def _report(
        queue: Sequence[tuple[Partition, Message, Callable[[KafkaError | None, Message], None]]],
        error: KafkaError | None,
    ) -> None:
        for _, message, on_delivery in queue:
            on_delivery(error, message)
