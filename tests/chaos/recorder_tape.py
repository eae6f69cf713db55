"""The tape: every record of the six topics and every dead letter, from the moment it is made."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from tests.chaos.evidence import SERVICES, TOPICS, DeadLetter, Place, Record
from tests.chaos.recorder_decoding import Decoder
from tests.support import trust

_SETTINGS: dict[str, str | int | float | bool] = {
    "group.id": "never-joined",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "isolation.level": "read_uncommitted",
    "enable.partition.eof": True,  # nothing else shows that only a transaction's marker was left to read
    "log_level": 0,
}
_LOOK_SECONDS = 5.0
_LETTERS = tuple(f"{service}.dlq" for service in SERVICES)


class Tape:
    """Reads in a thread of its own; brokers may come and go, and topics may be made anew."""

    def __init__(self, bootstrap: str, decoder: Decoder, now: Callable[[], float]) -> None:
        """Begin with what the topics hold; ``now`` says when a record is seen."""
        self._bootstrap, self._decoder, self._now = bootstrap, decoder, now
        self.records: list[Record] = []
        self.dead_letters: list[DeadLetter] = []
        self.incarnations = dict.fromkeys(TOPICS, 0)
        self._next: dict[tuple[str, int], int] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._consumer = self._connect()
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def _connect(self) -> Consumer:
        consumer = Consumer({**trust.kafka(self._bootstrap), **_SETTINGS})
        found = consumer.list_topics(timeout=10).topics
        for topic in (*TOPICS, *_LETTERS):
            for partition in found[topic].partitions:
                self._next.setdefault((topic, partition), 0)
        consumer.assign([TopicPartition(t, p, offset or OFFSET_BEGINNING) for (t, p), offset in self._next.items()])
        return consumer

    def _connect_again(self) -> Consumer:
        while True:
            try:
                return self._connect()
            except (KafkaException, KeyError):  # the brokers are away, or do not know the new topic yet
                if self._stopping.wait(0.5):
                    raise

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._stopping.is_set():
            with self._lock:
                self._take(self._consumer.consume(500, 0.1))
                if time.monotonic() - looked > _LOOK_SECONDS:
                    self.look()
                    looked = time.monotonic()
            time.sleep(0.02)  # let others have the lock

    def look(self) -> None:
        """Connect anew where there are other partitions, or no broker answers: the client may have forgotten each one.

        For the latter see sagakit.kafka.lost_brokers.
        """
        with self._lock:
            try:
                found = self._consumer.list_topics(timeout=2).topics
                if all(self.partitions(topic) == sorted(found[topic].partitions) for topic in TOPICS):
                    return
            except (KafkaException, KeyError):
                pass
            with suppress(KafkaException, KeyError):  # nobody is answered now
                self._consumer, lost = self._connect(), self._consumer
                lost.close()

    def partitions(self, topic: str) -> list[int]:
        """Return the numbers of the partitions of ``topic`` that are read."""
        return sorted(number for name, number in list(self._next) if name == topic)

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            error = message.error()
            if topic is None or partition is None or offset is None:
                continue
            if error is not None:  # such as a broker that is away
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so librdkafka's own codes are named
                    self._next[topic, partition] = max(offset, self._next.get((topic, partition), 0))
                continue
            if offset < self._next.get((topic, partition), 0):
                continue  # read before
            self._next[topic, partition] = offset + 1
            if topic in TOPICS:
                self.records.append(self._record(message, Place(topic, partition, offset, self.incarnations[topic])))
            elif message.value() is not None:  # a null is a tombstone
                self.dead_letters.append(_letter(topic.removesuffix(".dlq"), message))

    def _record(self, message: Message, place: Place) -> Record:
        headers = _headers(message)
        kind, fields = self._decoder.decode(place.topic, message.key(), message.value(), headers)
        return Record(place, message.key(), message.value(), headers, kind, fields, self._now())

    @contextmanager
    def remaking(self, topic: str) -> Iterator[None]:
        """Read what there is, hold still while ``topic`` is made anew, and then begin its next incarnation."""
        with self._lock:
            self.drain((topic,), 5.0)
            self._consumer.close()
            try:
                yield
            finally:
                self.incarnations[topic] += 1
                self._next = {place: offset for place, offset in self._next.items() if place[0] != topic}
                self._consumer = self._connect_again()

    @contextmanager
    def relearning(self, registry_url: str) -> Iterator[None]:
        """Read on only once the schemas are learnt that the registry will have; others may get its old ids."""
        with self._lock:
            yield
            self._decoder.learn(registry_url)

    def drain(self, topics: Iterable[str] = (*TOPICS, *_LETTERS), seconds: float = 60.0) -> bool:
        """Read up to the present ends of ``topics``; say whether that was reached in time."""
        give_up = time.monotonic() + seconds
        with self._lock:
            ends = self.ends(topics)
            while any(self._next.get(place, 0) < end for place, end in ends.items()):
                if time.monotonic() > give_up:
                    return False
                self._take(self._consumer.consume(500, 0.1))
        return True

    def reached(self, topic: str, partition: int) -> int:
        """Return the offset up to which a partition is read."""
        return self._next.get((topic, partition), 0)

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Return the offset that the next record of each partition will get; empty where Kafka is away."""
        wanted = set(topics)
        try:
            return {
                place: self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=10)[1]
                for place in list(self._next)
                if place[0] in wanted
            }
        except KafkaException:
            return {}

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        self._consumer.close()


def _letter(group: str, message: Message) -> DeadLetter:
    headers = _headers(message)
    topic, partition, offset, reason = (
        headers.get(f"dead-letter-{name}", b"").decode() for name in ("topic", "partition", "offset", "reason")
    )
    place = (topic, int(partition or -1), int(offset or -1))
    return DeadLetter(group, *place, message.value() or b"", headers, reason, message.key() or b"")


def _headers(message: Message) -> Mapping[str, bytes]:
    given = message.headers() or []
    pairs = given.items() if isinstance(given, dict) else given
    return {name: value.encode() if isinstance(value, str) else value or b"" for name, value in pairs}
