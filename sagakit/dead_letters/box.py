"""The dead letters of one group: operators read them, replay them to their topic, or drop them.

The topic is compacted: the newest record of a key is the letter; a tombstone says that it was dealt with.
"""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import Producer as KafkaProducer
from confluent_kafka.admin import AdminClient

from sagakit.dead_letters.letter import ROUND, Letter, read_letter, topic_of
from sagakit.errors import NotFound, Refused, Unavailable
from sagakit.kafka.consumed import READING, Place, source
from sagakit.kafka.producer import PROPERTIES
from sagakit.kafka.unreadable import end_of, is_unreadable

NO_TOPIC = "NO_DEAD_LETTER_TOPIC"
"""The reason of the refusal to open the box of a group that has none."""
_ANSWER_SECONDS = 10.0
_FLUSH_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_SILENT: dict[str, str | int | float | bool] = {"log_level": 0}  # failures are raised, not logged
_CONSUMER: dict[str, str | int | float | bool] = {
    **READING,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 50,
}

_FOR_GOOD = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - its public name
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - its public name
}
"""Errors after which the message is surely not in Kafka, and a retry does not help."""

Client = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Replay:
    """A letter that was sent again, and its new place."""

    letter: Letter
    offset: int
    """Its new offset, on the same topic and partition."""
    since: dict[int, int]
    """The ends of the dead-letter topic's partitions when it was sent."""

    @property
    def place(self) -> Place:
        """Its new topic, partition and offset."""
        topic, partition, _ = self.letter.source
        return topic, partition, self.offset


@dataclass(frozen=True)
class Outcome:
    """The outcome of a replay."""

    state: Literal["processed", "parked", "pending"]
    """Handled, parked again, or not reached yet."""
    letter: Letter | None = None
    """The new letter, where it was parked again."""


def groups_with_letters(client: Client) -> list[str]:
    """Return the groups that have a dead-letter topic.

    Raises:
        Unavailable: Kafka cannot be reached.
    """
    try:
        topics = AdminClient({**client, **_SILENT}).list_topics(timeout=_ANSWER_SECONDS).topics
    except KafkaException as error:
        raise _away(error) from error
    suffix = topic_of("")
    return sorted(name.removesuffix(suffix) for name in topics if name.endswith(suffix))


class DeadLetterBox:
    """The dead-letter topic of one group. It never joins the group; it only reads the group's committed offsets."""

    def __init__(self, client: Client, group: str) -> None:
        """Open the box of ``group`` with the Kafka properties ``client``.

        Raises:
            Unavailable: Kafka cannot be reached.
            NotFound: the group has no dead-letter topic.
        """
        self.group, self._topic = group, topic_of(group)
        self._client = shared = {**client, **_SILENT}
        self._consumer = KafkaConsumer({**shared, **_CONSUMER, "group.id": group})
        self._producer = KafkaProducer({**shared, **PROPERTIES})
        try:
            found = self._consumer.list_topics(self._topic, timeout=_ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            self.close()
            raise _away(error) from error
        if not found.partitions:
            self.close()
            raise NotFound(NO_TOPIC, f"the group {group} has no topic {self._topic}")
        self._partitions = sorted(found.partitions)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def letters(self) -> list[Letter]:
        """Return every letter that was not dealt with, in the order of parking.

        Raises:
            Unavailable: Kafka does not answer.
        """
        found: dict[bytes, Letter] = {}
        for message in self._read({}):
            found.pop(message.key() or b"", None)
            if message.value() is not None:
                letter = read_letter(message)
                found[letter.key] = letter
        return list(found.values())

    def value(self, letter: Letter) -> bytes | None:
        """Read a letter's value, byte for byte as it was consumed; None where it had none.

        Raises:
            NotFound: the letter is gone.
            Unavailable: Kafka does not answer.
        """
        _, partition, offset = letter.place
        for message in self._read({partition: offset}, only=[partition]):
            if message.offset() == offset and message.key() == letter.key:
                return None if letter.size < 0 else message.value()
            break
        raise NotFound("LETTER_GONE", f"the letter {letter.name} was dealt with meanwhile")

    def replay(self, letter: Letter) -> Replay:
        """Send a letter to its own topic, unchanged; once Kafka has it, mark the letter as dealt with.

        Only topics of the group are sent to, whatever the letter says: those of which Kafka has offsets that the group
        has committed. Each call sends it once. After a crash between the two steps the letter is still there, though
        the message was sent. A second replay sends the message a second time, which handlers allow for.

        Raises:
            Refused: it is no letter of ours, or names a topic that the group has not read, or Kafka does not take the
                message; the letter stays.
            NotFound: the letter was dealt with meanwhile.
            Unavailable: Kafka did not acknowledge; the letter stays, though the message may have been sent.
        """
        topic, partition, _ = letter.source
        if not topic:
            raise Refused("NO_SOURCE", f"{letter.name} does not say where it came from; it can only be dropped")
        if letter.omitted:
            raise Refused("NO_VALUE", f"{letter.name} was parked without its value; it can only be dropped")
        if not self._is_read(topic):
            raise Refused(
                "FOREIGN_TOPIC",
                f"{letter.name} says that it came from {topic}, of which {self.group} has committed no offset; a replay"
                " goes only to the group's own topics",
            )
        value = self.value(letter)
        since = self._ends()
        headers = [*letter.headers, (ROUND, str(letter.round).encode())]
        offset = self._send(topic, partition, letter.source_key, value, headers)
        self.drop(letter)
        return Replay(letter, offset, since)

    def drop(self, letter: Letter) -> None:
        """Mark a letter as dealt with; nothing is sent.

        Raises:
            Refused: Kafka does not take the mark.
            Unavailable: Kafka did not acknowledge.
        """
        topic, partition, _ = letter.place
        self._send(topic, partition, letter.key, None, [])

    def outcomes(self, replays: Sequence[Replay], timeout: float) -> list[Outcome]:
        """Wait up to ``timeout`` seconds until the group has passed every replay; return the outcome of each.

        A group that has committed a later offset has handled the message or parked it again.

        Raises:
            Unavailable: Kafka does not answer.
        """
        give_up = time.monotonic() + timeout
        passed = self._passed(replays)
        while len(passed) < len(replays) and time.monotonic() < give_up:
            time.sleep(_LOOK_SECONDS)
            passed = self._passed(replays)
        parked = self._parked_since(replays[0].since) if passed else {}
        return [_outcome(position in passed, parked.get(replay.place)) for position, replay in enumerate(replays)]

    def _is_read(self, topic: str) -> bool:
        """Say whether the group has read ``topic``: then it has committed an offset of it."""
        try:
            numbers = self._consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
            asked = [TopicPartition(topic, number) for number in numbers]
            found = self._consumer.committed(asked, timeout=_ANSWER_SECONDS) if asked else []
        except KafkaException as error:
            raise _away(error) from error
        return any(one.error is None and one.offset >= 0 for one in found)

    def _passed(self, replays: Sequence[Replay]) -> set[int]:
        """Return the indexes of those ``replays`` that the group's committed offsets have passed."""
        places = {replay.letter.source[:2] for replay in replays}
        try:
            found = self._consumer.committed([TopicPartition(*place) for place in places], timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise _away(error) from error
        reached = {(one.topic, one.partition): one.offset for one in found}
        return {n for n, replay in enumerate(replays) if reached[replay.letter.source[:2]] > replay.offset}

    def _parked_since(self, since: dict[int, int]) -> dict[Place, Letter]:
        parked = [read_letter(message) for message in self._read(since) if message.value() is not None]
        return {letter.source: letter for letter in parked}

    def _ends(self) -> dict[int, int]:
        try:
            return {
                number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), _ANSWER_SECONDS)[1]
                for number in self._partitions
            }
        except KafkaException as error:
            raise _away(error) from error

    def _read(self, begin: Mapping[int, int], *, only: Collection[int] = ()) -> Iterator[KafkaMessage]:
        """Read the topic's partitions to their end, from the offsets in ``begin`` or else from their beginning."""
        left = set(only or self._partitions)
        places = [TopicPartition(self._topic, number, begin.get(number, OFFSET_BEGINNING)) for number in left]
        self._consumer.assign(places)
        give_up = time.monotonic() + _ANSWER_SECONDS
        try:
            while left:
                message = self._consumer.poll(0.5)
                error = message.error() if message else None
                if message is not None and error is None:
                    give_up = time.monotonic() + _ANSWER_SECONDS
                    yield message
                elif message is not None and is_unreadable(message):  # nobody but its writer can tell what it was
                    end = end_of(self._client, source(message))
                    self._consumer.seek(TopicPartition(self._topic, message.partition() or 0, end))
                elif message is not None and error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    left.discard(message.partition() or 0)
                elif time.monotonic() > give_up:
                    raise Unavailable(f"Kafka does not answer ({error or 'no data came'})")
        finally:
            self._consumer.unassign()

    def _send(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: list[Any]) -> int:
        """Send one message and return its offset, once Kafka has acknowledged it."""
        reports: list[tuple[KafkaError | None, int | None]] = []

        def report(failed: KafkaError | None, message: KafkaMessage) -> None:
            reports.append((failed, message.offset()))

        try:
            self._producer.produce(topic, value, key, partition, headers=headers, on_delivery=report)
        except KafkaException as error:
            raise Refused("NOT_SENT", f"Kafka does not take it: {error.args[0].str()}") from error
        self._producer.flush(_FLUSH_SECONDS)
        failed, offset = reports[0] if reports else (None, None)
        if failed is not None and failed.code() in _FOR_GOOD:
            raise Refused("NOT_SENT", f"Kafka does not take it: {failed.str()}")
        if failed is not None or offset is None:
            raise Unavailable("Kafka did not acknowledge it; it may have been sent all the same")
        return offset


def _outcome(passed: bool, parked: Letter | None) -> Outcome:  # noqa: FBT001 - each call passes an expression that says what it is
    if not passed:
        return Outcome("pending")
    return Outcome("parked", parked) if parked else Outcome("processed")


def _away(error: KafkaException) -> Unavailable:
    return Unavailable(f"Kafka cannot be reached ({error.args[0].str()})")
