"""The idempotent producer: publishes a batch and tells when Kafka has all of it."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import Producer as KafkaProducer

from chassis import metrics
from chassis.errors import Unavailable
from chassis.hearing import Hearing, answer
from chassis.logs import logger
from chassis.messages import Encoded
from chassis.placement import Placement

log = logger("producer")

PROPERTIES: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 0,
    "partitioner": "murmur2_random",  # for what `Placement` leaves to it: as every Java producer places keys
    "compression.type": "lz4",
    "message.timeout.ms": 15_000,
    # Before compression, and so far above any topic's limit, which is for what is compressed: whatever could be
    # consumed can be parked.
    "message.max.bytes": 104_857_600,
    "allow.auto.create.topics": False,
}
"""How every producer of ours publishes, whatever the cluster."""


_PURGE_SECONDS = 5.0


class _Flight:
    """Messages published together, and what became of them so far."""

    def __init__(self, size: int) -> None:
        self.done: Future[None] = Future()
        self._size = size
        self._landed: list[KafkaMessage] = []
        self._failed: list[KafkaError] = []
        self._ending = threading.Lock()
        self._end_when_all_landed()

    def landed(self, error: KafkaError | None, message: KafkaMessage) -> None:
        """Note that a message was acknowledged, or failed: librdkafka's delivery report."""
        if error is None:
            self._landed.append(message)
        else:
            self._failed.append(error)
        self._end_when_all_landed()

    def failed(self, count: int, error: KafkaError) -> None:
        """Note that ``count`` messages were not even sent."""
        self._failed += [error] * count
        self._end_when_all_landed()

    def _end_when_all_landed(self) -> None:
        """End once; the poller's thread and the publisher's both come here, and nobody waits for a lock."""
        if len(self._landed) + len(self._failed) < self._size or not self._ending.acquire(blocking=False):
            return
        metrics.tally(metrics.PUBLISHED, (message.topic() or "" for message in self._landed))
        if self._failed:
            self.done.set_exception(Unavailable(f"Kafka did not take every message: {self._failed[0]}"))
        else:
            self.done.set_result(None)


class Producer:
    """Publishes messages; every one is acknowledged by all in-sync replicas, or the batch fails."""

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
        self._hearing = Hearing(client, watchdog_seconds)
        self._placement = Placement()
        self._producer = self._connect()
        self._producing = threading.Lock()
        self._discarding = False
        self._closing = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="producer", daemon=True)
        self._poller.start()

    def _connect(self) -> KafkaProducer:
        shared = {"error_cb": self._error, "logger": logging.getLogger("ordersaga.librdkafka")}
        return KafkaProducer({**self._client, **PROPERTIES, **shared})

    def publish(self, messages: Sequence[Encoded]) -> Future[None]:
        """Send ``messages``; the future ends when Kafka has all of them.

        It fails with `Unavailable` where one was not acknowledged; the others may be in Kafka all the same.
        Any thread may call this.
        """
        flight = _Flight(len(messages))
        with self._producing:
            sent, error = self._produce(messages, flight)
        if error:
            flight.failed(len(messages) - sent, error)
        return flight.done

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
                    on_delivery=flight.landed,
                )
            except BufferError:
                return position, KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001 - its public name
            except KafkaException as error:
                refusal: KafkaError = error.args[0]
                if refusal.code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001 - its public name
                    self._placement.learn({})  # the topic was made anew, with fewer partitions
                return position, refusal
        return len(messages), None

    def deliver(self, messages: Sequence[Encoded], seconds: float) -> None:
        """Send ``messages`` and wait until Kafka has all of them, up to ``seconds``.

        Raises:
            Unavailable: one was not acknowledged, or not in time. They may be in Kafka all the same, also later.
        """
        try:
            self.publish(messages).result(seconds)
        except TimeoutError as error:
            msg = f"Kafka has not taken every message within {seconds:g} seconds"
            raise Unavailable(msg) from error

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
        """Wait up to ``timeout`` seconds for what is under way, then stop."""
        self._producer.flush(timeout)
        self._closing.set()
        self._poller.join()

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.1)
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
