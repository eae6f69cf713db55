"""The offsets that a consumer has handled, until the database has stored them and the broker has committed them.

Offsets are stored first, with a batch or once no more come (`sagakit.offsets.stored_offsets`), and committed to the
broker after that: so the broker never has more than the database. A broker may refuse a commit, as in a rebalance. It
is then sent again; else the group would seem to be behind until the partition's next message, and timers that need the
group lag (`sagakit.offsets.group_lag`) would wait.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from sagakit.errors import Unavailable
from sagakit.families import passes
from sagakit.kafka.consumed import Partition, source
from sagakit.offsets.stored_offsets import MARK
from sagakit.runtime.logs import logger

log = logger("consumer")

COMMIT_SECONDS = 0.1
"""The shortest time between two stores, and between two commits. Each costs about as much as the messages of a batch.
Messages handled since are read again after a crash, and answered the same."""
_AGAIN_SECONDS = 1.0
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID}
"""Refusals after which no commit is sent again: the topic may be recreated, and begin at zero."""


class WentBackError(Unavailable):
    """The database went back: the messages that it has forgotten are read again."""


class Offsets:
    """The offsets of one consumer; used by its thread alone."""

    def __init__(self) -> None:
        self._reached: dict[Partition, int] = {}
        self._rewound: set[Partition] = set()
        self._unstored: dict[Partition, int] = {}
        self._added = 0.0
        self._stored_at = 0.0
        self._known: dict[Partition, int] = {}
        """The offsets that the database has, as far as we know."""
        self._once: dict[Partition, int] = {}
        """How far the group was before the database went back; kept until that is reached again."""
        self._before: dict[Partition, int] = {}
        """How far partitions were that are to be read again; kept until each begins again."""
        self._history: int | None = None
        """The database's history at the last look; None where the next look accepts any."""
        self._uncommitted: dict[Partition, int] = {}
        self._sent = 0.0
        self._unsent = False
        """Whether offsets were stored since the last commit was sent."""

    @property
    def due(self) -> bool:
        """Whether a commit is to be sent: a first one, or again because no answer came for a second."""
        return bool(self._uncommitted) and time.monotonic() - self._sent > (
            COMMIT_SECONDS if self._unsent else _AGAIN_SECONDS
        )

    @property
    def waits_for_store(self) -> bool:
        """Whether offsets wait to be stored, and no batch has come for a while that could have stored them."""
        return bool(self._unstored) and time.monotonic() - self._added > COMMIT_SECONDS

    @property
    def pending(self) -> bool:
        """Whether offsets are to be stored or committed soon."""
        return bool(self._unstored) or self._unsent

    @property
    def catching_up(self) -> bool:
        """Whether the database still has less than the group had handled before it went back."""
        return bool(self._once)

    @property
    def known(self) -> Mapping[Partition, int]:
        """The offsets that the database has, as far as we know."""
        return self._known

    @property
    def missing(self) -> int:
        """How many messages are to be read again, because the database went back."""
        return sum(until - (self._known.get(partition) or 0) for partition, until in self._once.items())

    def begin(self, partition: Partition, at: int, *, stored: int | None, once: int | None) -> None:
        """Note that ``partition`` is read from ``at`` on; the database has ``stored``.

        Where the database went back, ``once`` is how far the group was. Up to that offset nothing is committed to the
        broker, because the higher committed offset tells the other replicas that messages are missing.
        """
        before = self._before.pop(partition, None)
        if once is None and before is not None and before > at:
            once = before
        if stored is not None:
            self._known[partition] = stored
        if once is not None:
            self._once[partition] = once
        self._unstored.pop(partition, None)
        if at >= 0 and at != stored:
            self._unstored[partition] = at

    def add(self, batch: Sequence[KafkaMessage]) -> None:
        """Count ``batch`` as handled."""
        handled = {(topic, partition): offset + 1 for topic, partition, offset in map(source, batch)}
        self._unstored |= handled
        self._reached |= handled
        if self._rewound:
            self._rewound.difference_update(handled)
        self._added = time.monotonic()

    def end(self, ends: Iterable[KafkaMessage]) -> None:
        """Count partitions as handled up to these ``ends``, events that the client gives after the last message.

        The offsets between hold no message: a marker at the end of a transaction takes an offset too. Without this the
        group would seem to be behind for ever.
        """
        for topic, number, offset in map(source, ends):
            partition = topic, number
            if offset < self._once.get(partition, -1):  # the topic was recreated: the old offset means nothing
                del self._once[partition]
            if offset > self._reached.get(partition, -1) and partition not in self._rewound:
                self._unstored[partition] = self._reached[partition] = offset
                self._added = time.monotonic()

    def rewound(self, partitions: Iterable[Partition]) -> None:
        """Note that ``partitions`` are read again: no end counts before one of their messages is handled."""
        self._rewound.update(partitions)

    def is_rewound(self, partition: Partition) -> bool:
        """Say whether ``partition`` is read again, and none of its messages has been handled since."""
        return partition in self._rewound

    def reached(self, partition: Partition) -> int:
        """Return the offset at which reading ``partition`` goes on; -1 where that is not known."""
        return self._reached.get(partition, -1)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Forget ``partitions``, which other replicas have now."""
        for partition in partitions:
            for known in (self._reached, self._unstored, self._known, self._once, self._uncommitted):
                known.pop(partition, None)
            self._rewound.discard(partition)

    def along(self) -> dict[Partition, int]:
        """Return the offsets that the next batch stores; none where others were stored just now."""
        return self.unstored() if time.monotonic() - self._stored_at > COMMIT_SECONDS else {}

    def unstored(self) -> dict[Partition, int]:
        """Return the offsets that are handled, their replies published, and that the database does not have yet."""
        return self._unstored.copy()

    def stored(self, offsets: Mapping[Partition, int]) -> None:
        """Note that the database has ``offsets`` now, which `unstored` or `along` returned."""
        if offsets:
            self._stored_at = time.monotonic()
        for partition, offset in offsets.items():
            if self._unstored.get(partition) == offset:
                del self._unstored[partition]
            if self._once and self._once.get(partition, -1) > offset:
                continue
            self._once.pop(partition, None)
            self._uncommitted[partition] = offset
            self._unsent = True
        self._known.update(offsets)

    def must_be_in(self, stored: Mapping[Partition, int], history: int) -> None:
        """Check that the database, which has ``stored``, still has all that it had.

        With another ``history`` than before it may lack the last effects. Their offsets were not stored yet, so the
        stored offsets do not show it; and if we stored them now, they would stand for effects that are missing.

        Raises:
            WentBackError: it lacks some, or may lack some; call `begin_anew` then.
        """
        self.must_be_stored(stored)
        if self._history not in {None, history}:
            raise WentBackError("the database has another history, and may lack what was handled last")
        self._history = history

    def must_be_stored(self, stored: Mapping[Partition, int]) -> None:
        """Check that the database, which has ``stored``, still has all that it had.

        Raises:
            WentBackError: it lacks some; call `begin_anew` then.
        """
        back = [partition for partition, offset in self._known.items() if stored.get(partition, -1) < offset]
        if back:
            raise WentBackError(f"the database has forgotten what was handled of {_names(back)}")

    def begin_anew(self, partitions: Iterable[Partition]) -> None:
        """Note that ``partitions`` are read again from the database's offsets, whichever history it has.

        They are catching up until they are where they were. The offsets of the last effects may not have been stored,
        so that the database can forget those effects without a trace.
        """
        self._history = None
        self._before = {one: self._reached[one] for one in partitions if one in self._reached}

    def commit(self, consumer: Consumer, *, wait: bool) -> None:
        """Send the offsets that are not committed yet; with ``wait``, wait for the answer. A refusal is only logged."""
        self._sent, self._unsent = time.monotonic(), False
        offsets = [TopicPartition(*partition, offset, MARK) for partition, offset in self._uncommitted.items()]
        if not offsets:
            return
        try:
            if wait:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets)
        except KafkaException as error:
            log.warning("offsets not committed", error=str(error))

    def committed(self, error: KafkaError | None, partitions: Iterable[TopicPartition]) -> None:
        """Handle the broker's answer to a commit; this is the client's ``on_commit``."""
        for one in partitions:
            refusal = one.error or error
            if refusal is not None:
                log.info("offset not committed", topic=one.topic, partition=one.partition, error=str(refusal))
                if passes(KafkaException(refusal)) and refusal.code() not in _GONE:
                    continue
            if self._uncommitted.get((one.topic, one.partition)) == one.offset:
                del self._uncommitted[one.topic, one.partition]


def _names(partitions: Iterable[Partition]) -> str:
    return ", ".join(sorted(f"{topic}-{number}" for topic, number in partitions))
