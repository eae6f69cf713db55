"""The idempotent producer: delivers a batch, and returns when Kafka has all of it.

A batch goes in one request for each partition: librdkafka lingers until `Producer.deliver` flushes. Where it sends the
first message at once, the others come in smaller requests, and its thread spins while more than four messages of a
partition are unacknowledged and others wait (``rd_kafka_toppar_producer_serve``).
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
from sagakit.kafka.lost_brokers import LostBrokerDetector, answer
from sagakit.kafka.partitioner import Partitioner
from sagakit.messages import Encoded
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger

log = logger("producer")

PROPERTIES: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 50,  # longer than it takes to hand a batch over
    "partitioner": "murmur2_random",  # for what `Partitioner` leaves to it: as every Java producer places keys
    "compression.type": "lz4",
    "message.timeout.ms": 15_000,
    # Before compression, and so far above any topic's limit, which is for what is compressed: whatever could be
    # consumed can be parked.
    "message.max.bytes": 104_857_600,
    "allow.auto.create.topics": False,
}
"""How every producer of ours publishes, whatever the cluster."""


_PURGE_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_FLUSH_SECONDS = 0.02
"""A flush waits for what others have sent, too: so long until one looks whether one's own has arrived."""


class _Flight:
    """Messages sent together, and what became of them so far; any thread that flushes notes it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.landed: list[KafkaMessage] = []
        self.failed: list[KafkaError] = []

    @property
    def over(self) -> bool:
        """Whether it is known of every message what became of it."""
        return len(self.landed) + len(self.failed) >= self._size

    def report(self, error: KafkaError | None, message: KafkaMessage) -> None:
        """Note that a message was acknowledged, or failed: librdkafka's delivery report."""
        if error is None:
            self.landed.append(message)
        else:
            self.failed.append(error)


class Producer:
    """Delivers messages; every one is acknowledged by all in-sync replicas, or the batch fails."""

    def __init__(
        self,
        client: Mapping[str, str | int | float | bool],
        on_fatal: Callable[[str], None],
        watchdog_seconds: float = 15.0,
    ) -> None:
        """Connect with the properties ``client``; ``on_fatal`` is called where only a new process can go on.

        It connects anew where no broker answers it for ``watchdog_seconds``, though they answer others.
        """
        self._client, self._on_fatal = client, on_fatal
        self._hearing = LostBrokerDetector(client, watchdog_seconds)
        self._placement = Partitioner()
        self._producer = self._connect()
        self._producing = threading.Lock()
        self._discarding = False
        self._closing = threading.Event()
        self._caretaker = threading.Thread(target=self._take_care, name="producer", daemon=True)
        self._caretaker.start()

    def _connect(self) -> KafkaProducer:
        shared = {"error_cb": self._error, "logger": logging.getLogger("ordersaga.librdkafka")}
        return KafkaProducer({**self._client, **PROPERTIES, **shared})

    def deliver(self, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        """Send ``messages`` and wait until Kafka has all of them, up to ``seconds``; any thread may call this.

        Raises:
            Unavailable: one was not acknowledged, or not in time, or we are closing. The others may be in Kafka all the
                same, and what came too late may be there later.
            KafkaException: Kafka will never take one of them, such as one that is too large for its topic.
        """
        flight = _Flight(len(messages))
        with self._producing:
            sent, error = self._produce(messages, flight)
        if error:
            flight.failed += [error] * (len(messages) - sent)
        self._wait(flight, time.monotonic() + seconds)
        metrics.tally(metrics.PUBLISHED, (message.topic() or "" for message in flight.landed))
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
                time.sleep(_FLUSH_SECONDS)  # a client that was lost meanwhile has them

    def _produce(self, messages: Sequence[Encoded], flight: _Flight) -> tuple[int, KafkaError | None]:
        """Hand ``messages`` to the client; return how many it took, and why not all."""
        for position, message in enumerate(messages):
            try:
                self._producer.produce(
                    message.topic,
                    key=message.key,
                    partition=self._placement.of(message.topic, message.key),
                    value=message.value,
                    headers=list(message.headers),
                    on_delivery=flight.report,
                )
            except BufferError:
                return position, KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001 - its public name
            except KafkaException as error:
                refusal: KafkaError = error.args[0]
                if refusal.code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001 - its public name
                    self._placement.learn({})  # the topic was made anew, with fewer partitions
                return position, refusal
        return len(messages), None

    def learn_partitions(self) -> bool:
        """Ask a broker how many partitions each topic has; say whether one answers within two seconds.

        That decides where messages go, so it is asked before the first one, and every so often by ourselves.
        """
        told = answer(self._producer)
        if told is None:
            return False
        found = {name: len(topic.partitions) for name, topic in told.topics.items() if topic.error is None}
        self._placement.learn(found)
        return True

    def close(self, timeout: float) -> None:
        """Wait up to ``timeout`` seconds for what is under way, then stop; who still waits is told `Unavailable`."""
        self._producer.flush(timeout)
        self._closing.set()
        self._caretaker.join()

    def _take_care(self) -> None:
        """Hear of errors, and of what nobody waits for any more; whoever waits for reports gets them by flushing."""
        while not self._closing.wait(_LOOK_SECONDS):
            self._producer.poll(0)
            if self._hearing.is_lost(self.learn_partitions):
                self._connect_anew()

    def _connect_anew(self) -> None:
        """Go on with another client; what the lost one holds fails, and is relayed from the outbox."""
        metrics.RECONNECTED.inc()
        log.error("no broker answers the producer, connecting anew")
        with self._producing:
            lost, self._producer = self._producer, self._connect()
        self._discarding = True
        lost.purge()  # to the idempotent client, that is fatal
        lost.flush(_PURGE_SECONDS)
        self._discarding = False

    def _error(self, error: KafkaError) -> None:
        if error.fatal() and not self._discarding:
            self._on_fatal(f"the Kafka producer cannot go on: {error}")
        else:
            log.warning("Kafka trouble", error=str(error))
