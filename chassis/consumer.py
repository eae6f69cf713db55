"""The batch consumer: a batch is a database transaction and a flush of replies; then its offsets are committed.

A crash anywhere in between redelivers the batch, and handlers find what they stored and answer the same again. A batch
that fails for a passing reason is *rewound*: every partition still owned is sought back to its first offset, because an
uncommitted batch is otherwise simply read past. A message that cannot be handled is isolated and parked.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from chassis import metrics
from chassis.batches import Batches
from chassis.codec import Codec
from chassis.database import Database
from chassis.dead_letters import dead_letter, headers_of, source
from chassis.errors import Poison
from chassis.families import passes
from chassis.hearing import Hearing
from chassis.logs import logger, one_line
from chassis.messages import MESSAGE_ID, TRACEPARENT, Encoded, Handle, Message, Record
from chassis.offsets import COMMIT_SECONDS, Offsets
from chassis.pipeline import Transaction
from chassis.producer import Producer
from chassis.watchdog import Watchdog

log = logger("consumer")

_PROPERTIES: dict[str, str | int | float | bool] = {
    "group.protocol": "consumer",  # KIP-848; its session time-out is the broker's setting
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "max.poll.interval.ms": 300_000,
}
_POLL_SECONDS = 0.25
_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0
_BAD_DEPLOY_BATCH = 10
"""Where at least so many messages fail for no known reason and not one succeeds, the code is bad, not the data."""

_Pair = tuple[KafkaMessage, Message[Record]]


class BadDeployError(Exception):
    """A whole batch fails for no known reason: parking it would empty the topic into the dead letters."""


class Consumer:
    """Consumes the topics of one group in a thread of its own."""

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        client: Mapping[str, str | int | float | bool],
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        codec: Codec,
        database: Database,
        producer: Producer,
        batch_size: int,
        on_crash: Callable[[str], None],
        watchdog_seconds: float = 15.0,
    ) -> None:
        """Make a consumer of ``topics`` for ``group``; `start` begins.

        ``handle`` gets up to ``batch_size`` messages and the open transaction. ``on_crash`` is called where the thread
        ends by an error of its own: only a new process can go on. A partition that gives nothing for
        ``watchdog_seconds``, though there is something to read, makes it join the group anew, and so does a broker that
        does not answer for so long, though it answers others.
        """
        self._group, self._topics, self._handle = group, list(topics), handle
        self._codec, self._connection, self._producer = codec, database.kept(), producer
        self._batch_size, self._on_crash = batch_size, on_crash
        self._batches = Batches(batch_size)
        self._owned: set[tuple[str, int]] = set()
        self._offsets = Offsets()
        self._paused = False
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self.state: Literal["starting", "running", "halted", "ended"] = "starting"
        self._look_seconds, self._connected = watchdog_seconds, False
        self._watchdog = Watchdog(client, group, watchdog_seconds)
        self._hearing = Hearing(client, watchdog_seconds)
        self._client = client
        self._consumer = self._connect()

    def start(self) -> None:
        """Subscribe and begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the batch in hand, commit its offsets, leave the group; returns when that is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._subscribe()
            self.state = "running"
            while not self._stopping.is_set():
                self._turn()
                self._commit_if_due()
                self._look_for_stalls()
            if self._offsets.unsent:
                self._offsets.commit(self._consumer, wait=True)
            self._consumer.close()
            self._connection.close()
            self.state = "ended"
        except Exception as error:
            self.state = "ended"
            log.exception("the consumer ended by an error of its own")
            self._on_crash(f"the consumer ended: {error!r}")

    def _connect(self) -> KafkaConsumer:
        return KafkaConsumer(
            {
                **self._client,
                **_PROPERTIES,
                "group.id": self._group,
                "on_commit": self._offsets.committed,
                "error_cb": _log_error,
                "statistics.interval.ms": round(self._look_seconds * 500),
                "stats_cb": self._note_connections,
                "logger": logging.getLogger("ordersaga.librdkafka"),
            }
        )

    def _subscribe(self) -> None:
        self._consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _look_for_stalls(self) -> None:
        """Join the group anew where a partition has something to read and gives nothing, or no broker answers us.

        Nothing is asked of the consumer itself: that would wait behind its fetch, half a second each time.
        """
        stalled = self._watchdog.stalled(self._consumer, self._owned)
        lost = self._hearing.is_lost(lambda: self._connected)
        if stalled or lost:
            metrics.REJOINED.inc()
            reason = f"nothing comes of {', '.join(f'{t}-{n}' for t, n in stalled)}" if stalled else "no broker answers"
            log.error("consumer is stalled, joining the group anew", reason=reason)
            self._consumer.close()
            self._offsets.forget(self._owned)
            self._owned.clear()
            self._consumer = self._connect()
            self._subscribe()

    def _note_connections(self, statistics: str) -> None:
        """Note whether a broker is connected; librdkafka tells every few seconds, in JSON."""
        brokers = json.loads(statistics)["brokers"].values()
        self._connected = any(broker["nodeid"] >= 0 and broker["state"] == "UP" for broker in brokers)

    def _turn(self) -> None:
        batch = self._collect()
        if not batch:
            return
        began = time.perf_counter()
        try:
            self._work(batch)
        except BadDeployError as error:
            self._rewind(batch)
            self._halt(str(error))
        except Exception as error:
            if not passes(error):
                raise
            self._rewind(batch)
            self._wait_out(error)
        else:
            self._failures = 0
            self._offsets.add(batch)
            metrics.tally(metrics.CONSUMED, (source(message)[0] for message in batch))
            metrics.BATCH_SECONDS.observe(time.perf_counter() - began)
            metrics.BATCH_MESSAGES.observe(len(batch))

    def _commit_if_due(self) -> None:
        if self._offsets.due:
            self._offsets.commit(self._consumer, wait=False)

    def _collect(self) -> list[KafkaMessage]:
        found = self._batches.take(self._consumer, COMMIT_SECONDS if self._offsets.unsent else _POLL_SECONDS)
        if len(found) < self._batch_size:
            self._watchdog.drained()
        batch = []
        for message in found:
            error = message.error()
            if error is not None:
                if error.fatal():
                    raise KafkaException(error)
                log.warning("Kafka trouble", error=str(error))
            elif source(message)[:2] in self._owned:  # else it was revoked while this batch was collected
                batch.append(message)
        return batch

    def _work(self, batch: Sequence[KafkaMessage]) -> None:
        """Decode, handle, publish. Returns only when every message has its effect or is parked."""
        parked: list[Encoded] = []
        pairs: list[_Pair] = []
        for raw in batch:
            try:
                pairs.append((raw, self._decode(raw)))
            except Poison as error:
                parked.append(dead_letter(self._group, raw, error))
        failed = self._try(pairs)
        unforeseen = [error for _, error in failed if not isinstance(error, Poison)]
        # Poison is our own code's verdict on the data, and says nothing against the code, however often it is given.
        if len(failed) == len(pairs) and len(unforeseen) >= _BAD_DEPLOY_BATCH:
            msg = f"no message of a batch of {len(pairs)} can be handled, the first fails with: {unforeseen[0]!r}"
            raise BadDeployError(msg)
        parked += [dead_letter(self._group, raw, error) for raw, error in failed]
        if parked:
            self._producer.deliver(parked)

    def _decode(self, raw: KafkaMessage) -> Message[Record]:
        topic, partition, offset = source(raw)
        headers = dict(headers_of(raw))
        record = self._codec.decode(topic, raw.key(), raw.value(), headers)
        traceparent = headers.get(TRACEPARENT)
        return Message(
            record,
            topic,
            partition,
            offset,
            (headers.get(MESSAGE_ID) or b"").decode(errors="replace"),
            traceparent.decode(errors="replace") if traceparent else None,
        )

    def _try(self, pairs: Sequence[_Pair], *, again: bool = False) -> list[tuple[KafkaMessage, Exception]]:
        """Handle ``pairs``, halving them where they fail; return those that fail alone, twice, with their errors."""
        if not pairs:
            return []
        try:
            self._apply([message for _, message in pairs])
        except Exception as error:
            if passes(error):
                raise
            if len(pairs) > 1:
                middle = len(pairs) // 2
                return self._try(pairs[:middle]) + self._try(pairs[middle:])
            return [(pairs[0][0], error)] if again else self._try(pairs, again=True)
        return []

    def _apply(self, messages: Sequence[Message[Record]]) -> None:
        """Commit the effects of ``messages``, then publish what they answer and wait until Kafka has it."""
        self._producer.deliver(self._connection.transact(lambda tx: self._react(messages, tx)))

    def _react(self, messages: Sequence[Message[Record]], transaction: Transaction) -> list[Encoded]:
        return [self._codec.encode(message) for message in self._handle(messages, transaction)]

    def _rewind(self, batch: Sequence[KafkaMessage]) -> None:
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            topic, partition, offset = source(message)
            first.setdefault((topic, partition), offset)
        for (topic, partition), offset in first.items():
            if (topic, partition) in self._owned:
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _wait_out(self, error: Exception) -> None:
        """Back off, paused, but polling all the while, so that the group does not give this member up."""
        self._failures += 1
        longest = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** min(self._failures, 10))
        seconds = longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
        text = one_line(error)
        metrics.REWOUND.labels(type(error).__name__).inc()
        log.warning("batch rewound", error=text, again_in_seconds=round(seconds, 2), failures=self._failures)
        self._idle(time.monotonic() + seconds)

    def _halt(self, reason: str) -> None:
        self.state = "halted"
        log.critical("consuming is stopped: this looks like a bad deploy, not bad data", reason=reason)
        self._idle(float("inf"))

    def _idle(self, until: float) -> None:
        self._paused = True
        self._consumer.pause(self._partitions())
        while time.monotonic() < until and not self._stopping.is_set():
            self._commit_if_due()  # what was handled before must not wait until this ends
            self._consumer.poll(min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
        self._paused = False
        self._consumer.resume(self._partitions())
        self._watchdog.forget()

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic, partition in self._owned]

    def _assigned(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self._owned |= {(p.topic, p.partition) for p in partitions}
        if self._paused:
            consumer.pause(partitions)
        log.info("partitions assigned", added=len(partitions), owned=len(self._owned))

    def _revoked(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        if self._offsets.unsent:  # else their next owner would begin a little too early
            self._offsets.commit(consumer, wait=False)
        self._lost(consumer, partitions)

    def _lost(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        revoked = {(p.topic, p.partition) for p in partitions}
        self._owned -= revoked
        self._offsets.forget(revoked)
        consumer.incremental_unassign(partitions)
        log.info("partitions revoked", removed=len(partitions), owned=len(self._owned))


def _log_error(error: KafkaError) -> None:
    log.warning("Kafka trouble", error=str(error))
