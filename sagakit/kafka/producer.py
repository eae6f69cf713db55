"""The idempotent producer: delivers a batch, and returns when Kafka has all of it.

A batch goes in one request for each partition, because librdkafka lingers until `Producer.deliver` flushes. If it sent
the first message at once, the others would follow in smaller requests, and its thread would spin while more than four
messages of a partition are unacknowledged and others wait (``rd_kafka_toppar_producer_serve``).
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import Producer as KafkaProducer

from sagakit.errors import Unavailable
from sagakit.families import Family, family_of
from sagakit.kafka.lost_brokers import LostBrokerDetector, metadata
from sagakit.kafka.partitioner import Partitioner
from sagakit.kafka.renewed_files import RenewedFiles
from sagakit.messages import Encoded
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger
from sagakit.tracing.messages import sending

log = logger("producer")

PROPERTIES: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 50,  # longer than it takes to hand a batch over
    "partitioner": "murmur2_random",  # where `Partitioner` leaves the choice: as Java's producers choose
    "compression.type": "lz4",
    "message.timeout.ms": 15_000,
    # This counts bytes before compression, a topic's limit those after it. So it is far above any topic's limit, and
    # whatever we consumed we can also park.
    "message.max.bytes": 104_857_600,
    "allow.auto.create.topics": False,
}
"""How every producer of ours publishes, on any cluster."""


_PURGE_SECONDS = 5.0
_DELIVERED_SECONDS = 20.0
"""By then each message of a client is delivered, or has failed by its time-out."""
_LOOK_SECONDS = 0.1
_FLUSH_SECONDS = 0.02
"""A flush also waits for messages of other threads: after so long a thread checks whether its own have arrived."""


class _Flight:
    """Messages sent together, and their delivery reports so far; any thread that flushes may add some."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.landed: list[KafkaMessage] = []
        self.failed: list[KafkaError] = []

    @property
    def over(self) -> bool:
        """Whether every message has its delivery report."""
        return len(self.landed) + len(self.failed) >= self._size

    def report(self, error: KafkaError | None, message: KafkaMessage) -> None:
        """Note a message's delivery report: acknowledged, or failed."""
        if error is None:
            self.landed.append(message)
        else:
            self.failed.append(error)


class Producer:
    """Delivers messages: all in-sync replicas acknowledge every one, or the batch fails."""

    def __init__(
        self,
        client: Mapping[str, str | int | float | bool],
        on_fatal: Callable[[str], None],
        lost_broker_seconds: float = 15.0,
    ) -> None:
        """Connect with the properties ``client``; ``on_fatal`` is called where only a new process can go on.

        Every ``lost_broker_seconds`` it checks whether a broker answers, and connects anew where one answers a new
        client but not this one. So it does where its TLS files have changed.
        """
        self._client, self._on_fatal = client, on_fatal
        self._lost_brokers = LostBrokerDetector(client, lost_broker_seconds)
        self._renewed_files = RenewedFiles(client, lost_broker_seconds, "producer")
        self._partitioner = Partitioner()
        self._producer = self._connect()
        self._producing = threading.Lock()
        self._discarding = False
        self._closing = threading.Event()
        self._caretaker = threading.Thread(target=self._take_care, name="producer", daemon=True)
        self._caretaker.start()

    def _connect(self) -> KafkaProducer:
        shared = {"error_cb": self._error, "logger": logging.getLogger("sagakit.librdkafka")}
        return KafkaProducer({**self._client, **PROPERTIES, **shared})

    def deliver(self, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        """Send ``messages`` and wait up to ``seconds`` until Kafka has all of them; any thread may call this.

        Raises:
            Unavailable: one was not acknowledged in time, or the producer is closing. The others may be in Kafka all
                the same, and the late one may still arrive.
            KafkaException: Kafka will never take one of them, such as one that is too large for its topic.
        """
        with sending(messages):
            self._deliver(messages, seconds)

    def _deliver(self, messages: Sequence[Encoded], seconds: float) -> None:
        began = time.perf_counter()
        flight = _Flight(len(messages))
        with self._producing:
            sent, error = self._produce(messages, flight)
        if error:
            flight.failed += [error] * (len(messages) - sent)
        self._wait(flight, time.monotonic() + seconds)
        metrics.tally(metrics.PUBLISHED, (message.topic() or "" for message in flight.landed))
        if messages and len(flight.landed) == len(messages):
            metrics.PUBLISH_SECONDS.observe(time.perf_counter() - began)
        if flight.failed:
            refusals = [KafkaException(error) for error in flight.failed]
            for refusal in refusals:
                if family_of(refusal) is Family.DATA:
                    raise refusal
            msg = f"Kafka did not take every message: {flight.failed[0]}"
            raise Unavailable(msg)
        if not flight.over:
            when = "before we close" if self._closing.is_set() else f"within {seconds:g} seconds"
            msg = f"Kafka has not taken every message {when}"
            raise Unavailable(msg)

    def _wait(self, flight: _Flight, until: float) -> None:
        while not flight.over and time.monotonic() < until and not self._closing.is_set():
            if self._producer.flush(_FLUSH_SECONDS) == 0 and not flight.over:
                time.sleep(_FLUSH_SECONDS)  # the messages are with a client that was replaced meanwhile

    def _produce(self, messages: Sequence[Encoded], flight: _Flight) -> tuple[int, KafkaError | None]:
        """Hand ``messages`` to the client; return how many it took, and why not all."""
        for position, message in enumerate(messages):
            try:
                self._producer.produce(
                    message.topic,
                    key=message.key,
                    partition=self._partitioner.of(message.topic, message.key),
                    value=message.value,
                    headers=list(message.headers),
                    on_delivery=flight.report,
                )
            except BufferError:
                return position, KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001 - its public name
            except KafkaException as error:
                refusal: KafkaError = error.args[0]
                if refusal.code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001 - its public name
                    self._partitioner.learn({})  # the topic was made anew, with fewer partitions
                return position, refusal
        return len(messages), None

    def learn_partitions(self) -> bool:
        """Ask a broker how many partitions each topic has; say whether one answered within two seconds.

        The partitioner needs these numbers. So a service asks before the first message, and we ask again regularly.
        """
        answer = metadata(self._producer)
        if answer is None:
            return False
        found = {name: len(topic.partitions) for name, topic in answer.topics.items() if topic.error is None}
        self._partitioner.learn(found)
        return True

    def close(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for messages under way, then stop. Waiting threads then get `Unavailable`."""
        self._producer.flush(timeout)
        self._closing.set()
        self._caretaker.join()

    def _take_care(self) -> None:
        """Poll for errors, and for reports without a waiting thread; threads that wait get theirs by flushing."""
        while not self._closing.wait(_LOOK_SECONDS):
            self._producer.poll(0)
            if self._lost_brokers.is_lost(self.learn_partitions):
                self._connect_anew()
            elif self._renewed_files.are_there():
                self._take_renewed_files()

    def _connect_anew(self) -> None:
        """Go on with a new client. The lost client's messages fail; the relay publishes them from the outbox."""
        metrics.RECONNECTED.inc()
        log.error("no broker answers the producer, connecting anew")
        lost = self._hand_over(self._connect())
        self._discarding = True
        lost.purge()  # the idempotent client reports this as a fatal error of its own
        lost.flush(_PURGE_SECONDS)
        self._discarding = False

    def _take_renewed_files(self) -> None:
        """Go on with a new client, which reads the TLS files anew, and let the former deliver what it has."""
        try:
            successor = self._connect()
        except KafkaException as error:  # they have changed once more, and are half written
            log.warning("changed TLS files cannot be used, using those before", error=str(error))
            return
        self._renewed_files.taken()
        former = self._hand_over(successor)
        until = time.monotonic() + _DELIVERED_SECONDS
        while former.flush(_FLUSH_SECONDS) and time.monotonic() < until and not self._closing.is_set():
            pass

    def _hand_over(self, successor: KafkaProducer) -> KafkaProducer:
        """Produce by ``successor`` from now on; return the former client, which may still have messages."""
        with self._producing:
            former, self._producer = self._producer, successor
        return former

    def _error(self, error: KafkaError) -> None:
        if error.fatal() and not self._discarding:
            self._on_fatal(f"the Kafka producer cannot go on: {error}")
        else:
            log.warning("Kafka trouble", error=str(error))
