"""A consumer's membership of its group: its client, the partitions that it owns, and where it reads each of them on."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ParamSpec, Protocol

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.batch_handler import BatchHandler
from sagakit.consumer.leaving import leave
from sagakit.consumer.offset_keeper import OffsetKeeper
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.kafka.consumed import READING, Partition
from sagakit.offsets.handled import Offsets, WentBackError
from sagakit.offsets.starting_points import Start, is_behind, starting_points
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
_LEAVING_SECONDS = 5.0
_Given = ParamSpec("_Given")


class ByPartition(Protocol):
    """What a consumer notes of the messages in its partitions."""

    def forget(self, partitions: Collection[Partition], /) -> None:
        """Forget what is noted of ``partitions``: from now on another member handles them, or this one anew."""
        ...


class Membership:
    """One member of a group. Its callbacks run within the client's `poll`, `consume` and `close`."""

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        client: Mapping[str, str | int | float | bool],
        group: str,
        topics: Sequence[str],
        *,
        handler: BatchHandler,
        offsets: Offsets,
        offset_keeper: OffsetKeeper,
        stalled_partitions: StalledPartitionDetector,
        notes: Sequence[ByPartition],
    ) -> None:
        """Connect with the Kafka properties ``client``; `join` joins ``group``, to read ``topics``.

        Where it reads on follows from what the database of ``handler`` has stored. ``notes`` are forgotten when a
        partition is lost.
        """
        self._group, self._topics = group, list(topics)
        self._handler, self._offsets, self._offset_keeper = handler, offsets, offset_keeper
        self._stalled_partitions, self._notes = stalled_partitions, (*notes, offsets)
        self._paused = False
        self.owned: set[Partition] = set()
        self.unplaced: set[Partition] = set()
        """Those of which it is not known yet where they are to be read on; they are paused."""
        self.is_connected = False
        """Whether the client is connected with a broker."""
        self._properties = client
        self._current = 0
        """The number of the client whose callbacks count. It goes up as soon as that client begins to leave."""
        self.client = self._connect()

    def join(self) -> None:
        """Join the group."""
        self.client.subscribe(
            self._topics,
            on_assign=self._while_current(self._assigned),
            on_revoke=self._while_current(self._revoked),
            on_lost=self._while_current(self._lost),
        )

    def leave(self, *, wait: bool) -> None:
        """Commit what was handled, and leave the group; wait for that, but not for long.

        With ``wait``, wait for the answer to the commit as well. It is stored and sent here, in the consumer's thread,
        before the client leaves in a thread of its own: two threads must not use the consumer's connection at once.
        """
        self._offset_keeper.close(self.client, wait=wait)
        self._current += 1
        leave(self.client, _LEAVING_SECONDS)
        self._forget(self.owned)
        self.owned.clear()
        self.unplaced.clear()

    def rejoin(self) -> None:
        """Leave the group, and join it anew with another client."""
        self.leave(wait=False)
        self.client = self._connect()
        self.join()

    def has(self, message: KafkaMessage) -> bool:
        """Whether ``message`` is of a partition that is ours, and that is read from the place where it is to be."""
        partition = message.topic(), message.partition()
        return partition in self.owned and partition not in self.unplaced

    def pause(self) -> None:
        """Fetch nothing, also of what is assigned from now on."""
        self._paused = True
        self.client.pause(_topic_partitions(self.owned))

    def resume(self) -> None:
        """Fetch again, all but what is unplaced."""
        self._paused = False
        self.client.resume(_topic_partitions(self.owned - self.unplaced))

    def is_behind(self) -> bool:
        """Say whether the database has less than the group has handled, so that it will be handled again."""
        return self._offsets.catching_up or is_behind(self.client, self._topics, self._handler.stored())

    def keep_offsets(self) -> None:
        """Store and commit the offsets that it is time for; where the database went back, lose all places."""
        try:
            self._offset_keeper.keep(self.client)
        except WentBackError as error:
            self.lose_places(error)

    def lose_places(self, error: WentBackError) -> None:
        """Leave all partitions unplaced, as the database lacks what it had, or may."""
        log.error("the database went back", error=str(error))
        self._offsets.begin_anew(self.owned)
        self._forget(self.owned)
        self.unplaced |= self.owned
        self.client.pause(_topic_partitions(self.unplaced))

    def find_places(self) -> Mapping[Partition, Start]:
        """Return where what is unplaced is to be read on.

        Raises:
            Exception: the database or the brokers do not answer.
        """
        return starting_points(self.client, self.unplaced, self._handler.stored())

    def place(self, found: Mapping[Partition, Start]) -> None:
        """Have partitions read on as ``found`` says.

        Raises:
            KafkaException: the client cannot do it, and cannot try again: it may have unassigned them already.
        """
        # They are assigned anew, not sought: what a client has fetched before it was paused may move a seek's place.
        again = _topic_partitions(found)
        self.client.incremental_unassign(again)
        self._assign(found)
        self.unplaced -= found.keys()
        self.client.resume(again)

    def _connect(self) -> KafkaConsumer:
        return KafkaConsumer(
            {
                **self._properties,
                **_PROPERTIES,
                "group.id": self._group,
                "on_commit": self._while_current(self._offsets.committed),
                "error_cb": _log_error,
                "statistics.interval.ms": round(self._stalled_partitions.every_seconds * 500),
                "stats_cb": self._while_current(self._note_connections),
                "logger": logging.getLogger("sagakit.librdkafka"),
            }
        )

    def _assign(self, found: Mapping[Partition, Start]) -> None:
        self.client.incremental_assign([TopicPartition(*partition, start.at) for partition, start in found.items()])
        for partition, start in found.items():
            self._offsets.begin(partition, start.at, stored=start.stored, once=start.once)
        self._offset_keeper.report()
        self._stalled_partitions.forget()

    def _while_current(self, callback: Callable[_Given, None]) -> Callable[_Given, None]:
        """Return ``callback``, which does nothing any more once the present client begins to leave.

        A client calls back in the thread in which it leaves, and that may still go on when it has been given up
        (`sagakit.consumer.leaving`).
        """
        number = self._current

        def called_back(*given: _Given.args, **named: _Given.kwargs) -> None:
            if number == self._current:
                callback(*given, **named)

        return called_back

    def _assigned(self, _: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        assigned = {(one.topic, one.partition) for one in partitions}
        self.owned |= assigned
        try:
            self._assign(starting_points(self.client, assigned, self._handler.stored()))
        except Exception as error:  # noqa: BLE001 - whatever it is, they are paused until their places are known
            log.warning("partitions wait until the database and Kafka answer", error=one_line(error))
            self.client.incremental_assign(partitions)
            self.unplaced |= assigned
        self.client.resume(partitions)  # one that was paused here before may be so still
        if self._paused:
            self.client.pause(partitions)
        self.client.pause(_topic_partitions(self.unplaced))
        log.info("partitions assigned", added=len(partitions), owned=len(self.owned))

    def _revoked(self, client: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Commit what was handled of ``partitions``, so that their next owner begins behind it; then let them go."""
        self._offset_keeper.close(self.client, wait=False)
        self._lost(client, partitions)

    def _lost(self, _: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        lost = {(one.topic, one.partition) for one in partitions}
        self.owned -= lost
        self.unplaced -= lost
        self._forget(lost)
        self.client.incremental_unassign(partitions)
        log.info("partitions revoked", removed=len(partitions), owned=len(self.owned))

    def _forget(self, partitions: Collection[Partition]) -> None:
        for notes in self._notes:
            notes.forget(partitions)

    def _note_connections(self, statistics: str) -> None:
        """Note whether a broker is connected; librdkafka gives its statistics every few seconds, in JSON."""
        brokers = json.loads(statistics)["brokers"].values()
        self.is_connected = any(broker["nodeid"] >= 0 and broker["state"] == "UP" for broker in brokers)


def _topic_partitions(of: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic, partition in of]


def _log_error(error: KafkaError) -> None:
    log.warning("Kafka trouble", error=str(error))
