"""The offsets that a consumer has handled, until its database has them, and the broker says that they are committed.

First the database is told, with a batch or once no more come (`sagakit.offsets.stored_offsets`), and then
the broker what the database has: so the broker never knows of more. A commit may be refused, as in a rebalance. Were it
left at that, the group would seem to be behind until the next message of the partition, and those who act on silence
(`sagakit.offsets.group_lag`) would wait for that.
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
"""How often offsets are stored, and committed, at most. Either costs about as much as a batch's messages do; what they
are behind by when a service is killed, or its database goes back, comes again, and is answered the same."""
_AGAIN_SECONDS = 1.0
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID}
"""Refusals after which nothing is sent again: the topic may be made anew, and begin at zero."""


class WentBackError(Unavailable):
    """The database does not have what it had: what it has forgotten is to be read again."""


class Offsets:
    """One consumer's; used by its thread alone."""

    def __init__(self) -> None:
        self._reached: dict[Partition, int] = {}
        self._rewound: set[Partition] = set()
        self._unstored: dict[Partition, int] = {}
        self._added = 0.0
        self._told = 0.0
        self._known: dict[Partition, int] = {}
        """What the database has, as far as we know."""
        self._once: dict[Partition, int] = {}
        """Where the group was before the database went back, as long as that is not reached again."""
        self._before: dict[Partition, int] = {}
        """Where partitions were that are to be read again; until each begins anew."""
        self._history: int | None = None
        """The history that the database told at the last look; None where the next look takes whichever it tells."""
        self._uncommitted: dict[Partition, int] = {}
        self._sent = 0.0
        self._unsent = False
        """Whether some were stored since the last commit was sent."""

    @property
    def due(self) -> bool:
        """Whether some are to be committed: for the first time, or because that has not been answered for a second."""
        return bool(self._uncommitted) and time.monotonic() - self._sent > (
            COMMIT_SECONDS if self._unsent else _AGAIN_SECONDS
        )

    @property
    def waits_for_store(self) -> bool:
        """Whether some wait to be stored, and no batch has come for a while that could have taken them along."""
        return bool(self._unstored) and time.monotonic() - self._added > COMMIT_SECONDS

    @property
    def pending(self) -> bool:
        """Whether some are to be stored or committed soon."""
        return bool(self._unstored) or self._unsent

    @property
    def catching_up(self) -> bool:
        """Whether the database has less than the group has handled once."""
        return bool(self._once)

    @property
    def missing(self) -> int:
        """How many messages are to be read again, because the database went back."""
        return sum(until - (self._known.get(partition) or 0) for partition, until in self._once.items())

    def begin(self, partition: Partition, at: int, *, stored: int | None, once: int | None) -> None:
        """Say that ``partition`` is read from ``at`` on; the database has ``stored``.

        Where it went back, ``once`` is how far the group has been: until then nothing is committed to the broker, as
        the offset that it has tells everybody else that something is missing here.
        """
        before = self._before.pop(partition, -1)
        if once is None and before > at:
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
        """Take it that nothing lies between what was handled and these ``ends``, events of the client.

        It tells of an end once it has handed out all that lies before it. What is left is no message: the marker at a
        transaction's end takes an offset too, and the group would seem to be behind for ever.
        """
        for topic, number, offset in map(source, ends):
            partition = topic, number
            if offset < self._once.get(partition, -1):  # it was made anew, and is another's history
                del self._once[partition]
            if offset > self._reached.get(partition, -1) and partition not in self._rewound:
                self._unstored[partition] = self._reached[partition] = offset
                self._added = time.monotonic()

    def rewound(self, partitions: Iterable[Partition]) -> None:
        """Say that ``partitions`` are read again: no end counts until something of them has been handled."""
        self._rewound.update(partitions)

    def reached(self, partition: Partition) -> int:
        """Return where reading ``partition`` goes on, as far as that is known; -1 where it is not."""
        return self._reached.get(partition, -1)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Leave ``partitions`` to whoever has them now."""
        for partition in partitions:
            for known in (self._reached, self._unstored, self._known, self._once, self._uncommitted):
                known.pop(partition, None)
            self._rewound.discard(partition)

    def along(self) -> dict[Partition, int]:
        """Return what the next batch takes along to the database; nothing where that was told just now."""
        return self.unstored() if time.monotonic() - self._told > COMMIT_SECONDS else {}

    def unstored(self) -> dict[Partition, int]:
        """Return what is handled, its replies published, and the database has not been told of."""
        return self._unstored.copy()

    def stored(self, offsets: Mapping[Partition, int]) -> None:
        """Take it that the database has ``offsets`` now, which `unstored` or `along` gave."""
        if offsets:
            self._told = time.monotonic()
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
        """See that the database, which has ``stored``, has all that we know it to have had.

        Where it tells another ``history`` than before, it may lack what was handled last. The offsets of that were not
        stored yet, so no offset would tell; stored now, they would stand for effects that are not there.

        Raises:
            WentBackError: it does not, or may not; `begin_anew` must follow.
        """
        back = [partition for partition, offset in self._known.items() if stored.get(partition, -1) < offset]
        if back:
            raise WentBackError(f"the database has forgotten what was handled of {_names(back)}")
        if self._history not in {None, history}:
            raise WentBackError("the database tells another history, and may lack what was handled last")
        self._history = history

    def begin_anew(self, partitions: Iterable[Partition]) -> None:
        """Say that ``partitions`` are read again from where the database is, whichever history that tells.

        They are catching up until they are where they were: what is handled last is not stored at once, and so may be
        forgotten without a trace.
        """
        self._history = None
        self._before = {one: self._reached[one] for one in partitions if one in self._reached}

    def commit(self, consumer: Consumer, *, wait: bool) -> None:
        """Send what is not committed yet; where it is refused, the messages come again, and are answered the same."""
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
        """Take the broker's answer; this is the client's ``on_commit``."""
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
