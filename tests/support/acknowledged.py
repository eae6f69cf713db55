"""A writer that remembers what Kafka has acknowledged, and looks afterwards whether all of it is there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.wait import eventually

Client = dict[str, str | int | float | bool]
PARTITIONS = 3
_PAUSE_SECONDS = 0.01
_FLUSH_SECONDS = 120
_READ_SECONDS = 60


class Acknowledged:
    """Writes to a topic of its own, each record waiting for all copies that are in sync."""

    def __init__(self, client: Client, topic: str) -> None:
        """Write to ``topic`` by ``client``."""
        self._client, self.topic = client, topic
        self._acknowledged: set[int] = set()
        self._sent = 0

    def make_topic(self, copies: int) -> None:
        """Make the topic, once the brokers can."""
        admin = AdminClient(self._client)

        def made() -> None:
            new = NewTopic(self.topic, PARTITIONS, copies)
            try:
                admin.create_topics([new], request_timeout=10)[self.topic].result(20)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise AssertionError(error) from error

        eventually(made, _READ_SECONDS)

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write while the block runs, at least once before it and once after it, and wait for what was sent last."""
        producer = Producer({**self._client, "acks": "all", "enable.idempotence": True, "linger.ms": 5})
        ended = threading.Event()
        writer = threading.Thread(target=self._write, args=(producer, ended))
        writer.start()
        try:
            self.must_go_on()
            yield
            self.must_go_on()
        finally:
            ended.set()
            writer.join()
        assert producer.flush(_FLUSH_SECONDS) == 0

    def write(self, count: int) -> None:
        """Write so many records, and wait until all are acknowledged."""
        producer = Producer({**self._client, "acks": "all", "enable.idempotence": True})
        for _ in range(count):
            self._send(producer)
        assert producer.flush(_FLUSH_SECONDS) == 0

    def _write(self, producer: Producer, ended: threading.Event) -> None:
        while not ended.wait(_PAUSE_SECONDS):
            self._send(producer)
            producer.poll(0)

    def _send(self, producer: Producer) -> None:
        self._sent += 1
        number = self._sent

        def told(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._acknowledged.add(number)

        producer.produce(self.topic, str(number).encode(), on_delivery=told)

    def must_go_on(self) -> None:
        """Wait until one more record is acknowledged."""
        before = len(self._acknowledged)

        def more() -> None:
            assert len(self._acknowledged) > before

        eventually(more, _FLUSH_SECONDS)

    def must_all_be_there(self) -> None:
        """Read the whole topic; everything that was acknowledged has to be in it."""
        assert self._acknowledged
        settings: Client = {"group.id": "reads-all", "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer({**self._client, **settings})
        consumer.assign([TopicPartition(self.topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
        found, at_end = set[int](), set[int | None]()
        try:
            while len(at_end) < PARTITIONS:
                message = consumer.poll(_READ_SECONDS)
                assert message is not None, "the topic cannot be read"
                error = message.error()
                if error is None:
                    found.add(int(message.value() or b""))
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 # its only name
                    at_end.add(message.partition())
        finally:
            consumer.close()
        assert self._acknowledged <= found, f"{len(self._acknowledged - found)} acknowledged records are lost"
