"""The batch consumer: a batch is a database transaction and a flush of replies; then its offsets are committed.

After a crash anywhere in between the batch comes again, and handlers find what they stored and answer the same. A batch
that fails for a passing reason is *rewound*: the consumer seeks each partition back to the batch's first offset, or it
would read past it. A message that cannot be handled is isolated and parked. `sagakit.families` says which errors pass,
and which are the data's fault.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from sagakit.avro.codec import Codec
from sagakit.consumer.batch_handler import BatchHandler, Failed
from sagakit.consumer.batch_reader import BatchReader
from sagakit.consumer.dispatch import Handle
from sagakit.consumer.held_back import HeldBack, parted
from sagakit.consumer.lag import ConsumerLag
from sagakit.consumer.membership import Membership
from sagakit.consumer.offset_keeper import OffsetKeeper
from sagakit.consumer.parking import Parking
from sagakit.consumer.paused_partitions import PausedPartitions
from sagakit.consumer.setbacks import Setbacks
from sagakit.consumer.stall_repair import StallRepair
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.consumer.unreadable_batches import UnreadableBatches
from sagakit.kafka.consumed import source
from sagakit.kafka.lost_brokers import LostBrokerDetector
from sagakit.kafka.producer import Producer
from sagakit.kafka.renewed_files import RenewedFiles
from sagakit.kafka.unreadable import is_unreadable
from sagakit.offsets.handled import COMMIT_SECONDS, Offsets
from sagakit.postgres.database import Database
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")

_POLL_SECONDS = 0.25


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
        stall_seconds: float = 15.0,
    ) -> None:
        """Make a consumer of ``topics`` for ``group``, with the Kafka properties ``client``; `start` begins.

        ``handle`` gets up to ``batch_size`` messages and the open transaction. ``on_crash`` is called where the thread
        ends by an error of its own: only a new process can go on. The consumer joins the group anew where a partition
        gives nothing for ``stall_seconds``, though there is something to read, where no broker answers it for so long,
        though brokers answer others, and where TLS files of ``client`` have changed.
        """
        self._batch_size, self._on_crash = batch_size, on_crash
        self._batch_reader = BatchReader(batch_size)
        self._offsets = Offsets()
        self._lag = ConsumerLag(topics, self._offsets)
        self._batch_handler = BatchHandler(group, handle, codec, database, producer, self._offsets)
        self._parking, self._held_back, paused = Parking(group, producer), HeldBack(), PausedPartitions()
        self._unreadable = UnreadableBatches(client)
        self._stopping = threading.Event()
        self._stalled_partitions = StalledPartitionDetector(client, group, stall_seconds)
        self._membership = Membership(
            client,
            group,
            topics,
            handler=self._batch_handler,
            offsets=self._offsets,
            offset_keeper=OffsetKeeper(self._offsets, self._batch_handler),
            stalled_partitions=self._stalled_partitions,
            notes=[self._parking, self._held_back, paused, self._unreadable],
        )
        self._stall_repair = StallRepair(
            self._membership,
            self._stalled_partitions,
            LostBrokerDetector(client, stall_seconds),
            RenewedFiles(client, stall_seconds, "consumer"),
            offsets=self._offsets,
            paused=paused,
        )
        self._setbacks = Setbacks(
            self._membership,
            self._batch_handler,
            offsets=self._offsets,
            held_back=self._held_back,
            paused=paused,
            stalled_partitions=self._stalled_partitions,
            stopping=self._stopping,
        )
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self._state: Literal["starting", "running", "ended"] = "starting"

    @property
    def state(self) -> Literal["starting", "running", "halted", "ended"]:
        """Whether it consumes."""
        return "halted" if self._state == "running" and self._setbacks.halt.on else self._state

    @property
    def calls_for_restart(self) -> bool:
        """Whether it is halted, and a new process may help."""
        return self._setbacks.halt.calls_for_restart

    def start(self) -> None:
        """Join the group and begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, commit its offsets and leave the group; return when that is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._membership.join()
            self._state = "running"
            while not self._stopping.is_set():
                if self._is_placed():
                    self._turn()
                self._membership.keep_offsets()
                self._lag.look(self._membership.client, self._membership.owned)
                self._stall_repair.repair()
            self._membership.leave(wait=True)
            self._state = "ended"
        except Exception as error:
            self._state = "ended"
            log.exception("the consumer ended by an error of its own")
            self._on_crash(f"the consumer ended: {error!r}")
        finally:
            self._batch_handler.forget()

    def _is_placed(self) -> bool:
        """Place what is unplaced; back off and return False where the database or the brokers do not answer."""
        if self._membership.unplaced:
            try:
                found = self._membership.find_places()
            except Exception as error:  # noqa: BLE001 - whatever it is, they are paused until it is known
                self._setbacks.wait(error)
                return False
            self._membership.place(found)  # where this fails, only a new process can go on
        return True

    def _turn(self) -> None:
        """Handle one batch: all of it, or what is left of it once its bad messages are isolated."""
        self._setbacks.try_again()
        batch, ends, unreadable = self._collect()
        if batch:
            self._do(batch, ends)
        else:
            self._offsets.end(ends)
        for event in unreadable:
            self._pass_over(event)

    def _do(self, batch: list[KafkaMessage], ends: Sequence[KafkaMessage]) -> None:
        began = time.perf_counter()
        try:
            held = self._work(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the batch may be skipped
            self._rewind(batch, ends)
            self._setbacks.wait(error)
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
        self._parking.settle(done)
        self._setbacks.passed(done)
        if held:
            self._setbacks.hold(back, held)
        else:
            self._setbacks.none_left()

    def _collect(self) -> tuple[list[KafkaMessage], list[KafkaMessage], list[KafkaMessage]]:
        """Return a batch's messages, the events at a partition's end, and those of batches that cannot be read."""
        wait_seconds = COMMIT_SECONDS if self._offsets.pending else _POLL_SECONDS
        found = self._batch_reader.take(self._membership.client, wait_seconds)
        if len(found) < self._batch_size:
            self._stalled_partitions.drained()
        batch, ends, unreadable = list[KafkaMessage](), list[KafkaMessage](), list[KafkaMessage]()
        for message in found:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                if error.fatal():
                    raise KafkaException(error)
                log.warning("Kafka trouble", error=str(error))
                if is_unreadable(message):
                    unreadable.append(message)
            elif self._membership.has(message):  # else its partition was revoked while they were collected
                (batch if error is None else ends).append(message)
        return batch, ends, unreadable

    def _pass_over(self, event: KafkaMessage) -> None:
        """Park the batches that cannot be read, of which ``event`` is the first, and read on behind them.

        That waits until all that lies before them is handled, and until it is known where they end: the event comes
        again until something is done about it.
        """
        topic, partition, _ = source(event)
        if not self._membership.has(event) or self._offsets.is_rewound((topic, partition)):
            return
        end = self._unreadable.end(event)
        if end is None:
            return
        try:
            self._parking.park_unreadable(event, end)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event comes again
            log.warning("an unreadable batch cannot be parked yet", error=one_line(error))
            return
        self._offsets.add([KafkaMessage(topic=topic, partition=partition, offset=end - 1)])
        self._membership.client.seek(TopicPartition(topic, partition, end))

    def _work(self, batch: Sequence[KafkaMessage]) -> Failed:
        """Handle and publish ``batch``. Return what is held back: all else has had its effect, or is parked."""
        batch = self._parking.without(batch)
        parked, held = self._held_back.judge(batch, self._batch_handler.handle(batch))
        self._parking.park(parked, self._membership.is_behind)
        return held

    def _rewind(self, batch: Sequence[KafkaMessage], ends: Sequence[KafkaMessage]) -> None:
        """Have ``batch`` read again, as far as its partitions are still owned."""
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            topic, partition, offset = source(message)
            first.setdefault((topic, partition), offset)
        self._offsets.rewound(first)
        self._offsets.end(ends)
        for (topic, partition), offset in first.items():
            if (topic, partition) in self._membership.owned:
                self._membership.client.seek(TopicPartition(topic, partition, offset))
