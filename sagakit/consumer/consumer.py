"""The batch consumer: a batch is a database transaction and a flush of replies; then its offsets are committed.

A crash anywhere in between redelivers the batch, and handlers find what they stored and answer the same again. A batch
that fails for a passing reason is *rewound*: every partition still owned is sought back to its first offset, because an
uncommitted batch is otherwise simply read past. A message that cannot be handled is isolated and parked. What passes,
and what is the data's fault, stands in `sagakit.families`.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from sagakit.avro.codec import Codec
from sagakit.consumer.backoff import backoff
from sagakit.consumer.batch_handler import BatchHandler, Failed
from sagakit.consumer.batch_reader import BatchReader
from sagakit.consumer.dispatch import Handle
from sagakit.consumer.halt import Halt
from sagakit.consumer.held_back import BadDeployError, HeldBack, HeldBackError, parted
from sagakit.consumer.leaving import leave
from sagakit.consumer.offset_keeper import OffsetKeeper
from sagakit.consumer.parking import Parking
from sagakit.consumer.paused_partitions import PausedPartitions
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.families import Family, family_of
from sagakit.kafka.consumed import READING, Partition, source
from sagakit.kafka.lost_brokers import LostBrokerDetector
from sagakit.kafka.producer import Producer
from sagakit.offsets.handled import COMMIT_SECONDS, Offsets, WentBackError
from sagakit.offsets.starting_points import Start, is_behind, starting_points
from sagakit.postgres.database import Database
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")

_PROPERTIES: dict[str, str | int | float | bool] = {
    **READING,
    "enable.partition.eof": True,
    "group.protocol": "consumer",  # KIP-848; its session time-out is the broker's setting
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "max.poll.interval.ms": 300_000,
}
_POLL_SECONDS = 0.25
_LEAVING_SECONDS = 5.0
_NOTHING_SECONDS = 5.0
"""Where what failed does not come again for so long, another member has it, or it was deleted."""


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
        self._group, self._topics = group, list(topics)
        self._offsets = Offsets()
        self._handling = BatchHandler(handle, codec, database, producer, self._offsets)
        self._parking = Parking(group, producer)
        self._books = OffsetKeeper(self._offsets, self._handling)
        self._batch_size, self._on_crash = batch_size, on_crash
        self._batches = BatchReader(batch_size)
        self._owned: set[Partition] = set()
        self._unplaced: set[Partition] = set()
        """Those of which it is not known yet where they are to be read on; they stand still."""
        self._idling = False
        self._failures = 0
        self._halt, self._tried = Halt(), 0.0
        self._suspects, self._standing = HeldBack(), PausedPartitions()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self._state: Literal["starting", "running", "ended"] = "starting"
        self._look_seconds, self._connected = watchdog_seconds, False
        self._watchdog = StalledPartitionDetector(client, group, watchdog_seconds)
        self._hearing = LostBrokerDetector(client, watchdog_seconds)
        self._client = client
        self._consumer = self._connect()

    @property
    def state(self) -> Literal["starting", "running", "halted", "ended"]:
        """Whether it consumes."""
        return "halted" if self._state == "running" and self._halt.on else self._state

    @property
    def calls_for_restart(self) -> bool:
        """Whether it is halted, and only a new process may be better off."""
        return self._halt.calls_for_restart

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
            self._state = "running"
            while not self._stopping.is_set():
                if not self._unplaced or self._place():
                    self._turn()
                self._keep_books()
                self._look_for_stalls()
            self._books.close(self._consumer, wait=True)
            leave(self._consumer, _LEAVING_SECONDS)
            self._handling.forget()
            self._state = "ended"
        except Exception as error:
            self._state = "ended"
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
                "logger": logging.getLogger("sagakit.librdkafka"),
            }
        )

    def _subscribe(self) -> None:
        self._consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _look_for_stalls(self) -> None:
        """Join the group anew where a partition has something to read and gives nothing, or no broker answers us.

        Nothing is asked of the consumer itself: that would wait behind its fetch, half a second each time.
        """
        going = self._owned
        if self._standing or self._unplaced:
            going = {one for one in self._owned if one not in self._standing and one not in self._unplaced}
        stalled = self._watchdog.stalled(self._consumer, going, self._offsets)
        lost = self._hearing.is_lost(lambda: self._connected)
        if stalled or lost:
            metrics.REJOINED.inc()
            reason = f"nothing comes of {', '.join(f'{t}-{n}' for t, n in stalled)}" if stalled else "no broker answers"
            log.error("consumer is stalled, joining the group anew", reason=reason)
            leave(self._consumer, _LEAVING_SECONDS)
            self._forget(self._owned)
            self._owned.clear()
            self._unplaced.clear()
            self._consumer = self._connect()
            self._subscribe()

    def _note_connections(self, statistics: str) -> None:
        """Note whether a broker is connected; librdkafka tells every few seconds, in JSON."""
        brokers = json.loads(statistics)["brokers"].values()
        self._connected = any(broker["nodeid"] >= 0 and broker["state"] == "UP" for broker in brokers)

    def _turn(self) -> None:
        if self._standing and self._standing.resume(self._consumer, self._suspects.convicted):
            self._tried = time.monotonic()
        elif (self._suspects or self._halt.on) and self._nothing_comes():
            self._suspects.clear()
            self._halt.end()
        batch, ends = self._collect()
        if not batch:
            self._offsets.end(ends)
            return
        began = time.perf_counter()
        try:
            held = self._work(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of it is lost or skipped
            self._rewind(batch, ends)
            self._wait_for_better(error)
            return
        done, back = parted(batch, held) if held else (batch, [])
        if done:
            self._offsets.add(done)
        if back:
            self._rewind(back, ends)
        elif ends:
            self._offsets.end(ends)
        metrics.tally(metrics.CONSUMED, (message.topic() or "" for message in done))
        metrics.BATCH_SECONDS.observe(time.perf_counter() - began)
        metrics.BATCH_MESSAGES.observe(len(done))
        self._failures = 0
        self._settle(done)
        if held:
            self._hold(back, self._suspects.reason(held))
        elif not self._suspects.count:
            self._halt.worked()

    def _nothing_comes(self) -> bool:
        """Whether what failed has not come again: another member has it, or it was deleted."""
        return not self._standing.waits and time.monotonic() - self._tried > _NOTHING_SECONDS

    def _settle(self, done: Sequence[KafkaMessage]) -> None:
        """Forget of ``done`` what was noted as long as it might come again."""
        self._parking.settle(done)
        if self._suspects:
            self._suspects.settle(done)
        if self._standing:
            self._standing.forget({source(message)[:2] for message in done})

    def _keep_books(self) -> None:
        try:
            self._books.keep(self._consumer)
        except WentBackError as error:
            self._lose_places(error)

    def _place(self) -> bool:
        """Have partitions that stand still read on from where they are to be; say whether that is done."""
        try:
            found = starting_points(self._consumer, self._unplaced, self._handling.stored())
        except Exception as error:  # noqa: BLE001 - whatever it is, they stand still until it is known
            self._wait_for_better(error)
            return False
        # They are assigned anew, not sought: what a client has fetched before it was paused may move a seek's place.
        again = self._partitions(found)
        self._consumer.incremental_unassign(again)
        self._assign(found)
        self._unplaced -= found.keys()
        self._consumer.resume(again)
        return True

    def _assign(self, found: Mapping[Partition, Start]) -> None:
        self._consumer.incremental_assign([TopicPartition(*partition, place.at) for partition, place in found.items()])
        for partition, place in found.items():
            self._offsets.begin(partition, place.at, stored=place.stored, once=place.once)
        self._books.tell()
        self._watchdog.forget()

    def _lose_places(self, error: WentBackError) -> None:
        """Have all partitions placed anew, as the database lacks what it had, or may."""
        log.error("the database went back", error=str(error))
        self._offsets.begin_anew(self._owned)
        self._forget(self._owned)
        self._unplaced |= self._owned
        self._consumer.pause(self._partitions(self._unplaced))

    def _collect(self) -> tuple[list[KafkaMessage], list[KafkaMessage]]:
        """Return the messages of a batch, and the ends of partitions that were reached with them or since."""
        found = self._batches.take(self._consumer, COMMIT_SECONDS if self._offsets.pending else _POLL_SECONDS)
        if len(found) < self._batch_size:
            self._watchdog.drained()
        batch, ends = list[KafkaMessage](), list[KafkaMessage]()
        for message in found:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                if error.fatal():
                    raise KafkaException(error)
                log.warning("Kafka trouble", error=str(error))
            elif self._is_ours(message):
                (batch if error is None else ends).append(message)  # else it was revoked while they were collected
        return batch, ends

    def _is_ours(self, message: KafkaMessage) -> bool:
        """Whether it is of a partition that is ours, and is read from the place where it is to be."""
        partition = message.topic(), message.partition()
        return partition in self._owned and partition not in self._unplaced

    def _work(self, batch: Sequence[KafkaMessage]) -> Failed:
        """Handle and publish. What it does not return has its effect, or is parked."""
        batch = self._parking.without(batch)
        parked, held = self._suspects.judge(batch, self._handling.handle(batch))
        self._parking.park(parked, self._is_behind)
        return held

    def _is_behind(self) -> bool:
        """Whether what is not heard of may be heard of again, as the database went back."""
        return self._offsets.catching_up or is_behind(self._consumer, self._topics, self._handling.stored())

    def _rewind(self, batch: Sequence[KafkaMessage], ends: Sequence[KafkaMessage]) -> None:
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            topic, partition, offset = source(message)
            first.setdefault((topic, partition), offset)
        self._offsets.rewound(first)
        self._offsets.end(ends)
        for (topic, partition), offset in first.items():
            if (topic, partition) in self._owned:
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def _hold(self, back: Sequence[KafkaMessage], reason: Exception) -> None:
        """Let the partitions of ``back`` stand still for a while; the others go on, as they may clear the code."""
        if isinstance(reason, BadDeployError):
            seconds = self._halt.failed(reason)
        else:
            self._halt.end()
            seconds = backoff(reason, self._standing.tries + 1)
        if isinstance(reason, BadDeployError | HeldBackError):
            self._handling.forget()  # what looks like a bug may be what is stale
        self._standing.stop(self._consumer, {source(message)[:2] for message in back}, seconds)

    def _wait_for_better(self, error: Exception) -> None:
        """Back off where ``error`` passes; else halt, and forget what may be stale, so that the next try is fresh."""
        if isinstance(error, WentBackError):
            self._lose_places(error)
            return
        if family_of(error) is Family.OURS:
            self._handling.forget()
            seconds = self._halt.failed(error)
        else:
            self._failures += 1
            seconds = backoff(error, self._failures)
        self._idle(time.monotonic() + seconds)

    def _idle(self, until: float) -> None:
        """Stand still, paused, but polling all the while, so that the group does not give this member up."""
        self._idling = True
        self._consumer.pause(self._partitions(self._owned))
        while time.monotonic() < until and not self._stopping.is_set():
            self._keep_books()  # what was handled before must not wait until this ends
            event = self._consumer.poll(min(_POLL_SECONDS, max(0.0, until - time.monotonic())))
            error = event.error() if event else None
            if event and error and error.code() == KafkaError._PARTITION_EOF and self._is_ours(event):  # noqa: SLF001 - its public name
                self._offsets.end([event])
        self._idling, self._tried = False, time.monotonic()
        self._consumer.resume(self._partitions(self._owned - self._unplaced))
        self._standing.resumed()
        self._watchdog.forget()

    @staticmethod
    def _partitions(of: Iterable[Partition]) -> list[TopicPartition]:
        return [TopicPartition(topic, partition) for topic, partition in of]

    def _assigned(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # a former client that is still leaving
        assigned = {(p.topic, p.partition) for p in partitions}
        self._owned |= assigned
        try:
            self._assign(starting_points(consumer, assigned, self._handling.stored()))
        except Exception as error:  # noqa: BLE001 - whatever it is, they stand still until it is known
            log.warning("partitions wait until the database and Kafka answer", error=one_line(error))
            consumer.incremental_assign(partitions)
            self._unplaced |= assigned
        consumer.resume(partitions)  # one that stood still here before may be paused still
        if self._idling:
            consumer.pause(partitions)
        consumer.pause(self._partitions(self._unplaced))
        log.info("partitions assigned", added=len(partitions), owned=len(self._owned))

    def _revoked(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        self._books.close(consumer, wait=False)
        self._lost(consumer, partitions)

    def _lost(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        revoked = {(p.topic, p.partition) for p in partitions}
        self._owned -= revoked
        self._unplaced -= revoked
        self._forget(revoked)
        consumer.incremental_unassign(partitions)
        log.info("partitions revoked", removed=len(partitions), owned=len(self._owned))

    def _forget(self, partitions: Collection[Partition]) -> None:
        """Leave ``partitions`` to whoever has them now."""
        self._parking.forget(partitions)
        self._suspects.forget(partitions)
        self._standing.forget(partitions)
        self._offsets.forget(partitions)


def _log_error(error: KafkaError) -> None:
    log.warning("Kafka trouble", error=str(error))
