"""Parking: messages that cannot be handled go to the dead-letter topic."""

from collections.abc import Callable, Container, Iterable, Sequence

from confluent_kafka import KafkaException
from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.batch_handler import Failed
from sagakit.dead_letters.letter import dead_letter, is_without_content, without_content
from sagakit.errors import NotHeardOf, Poison
from sagakit.families import Family, family_of
from sagakit.kafka.consumed import Partition, Place, source
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.runtime.logs import logger

log = logger("consumer")


class Parking:
    """Parks messages of one consumer, and knows those of a batch that comes again."""

    def __init__(self, group: str, producer: Producer) -> None:
        """Park in the dead-letter topic of ``group``."""
        self._group, self._producer = group, producer
        self._parked: set[Place] = set()

    def without(self, batch: Sequence[KafkaMessage]) -> Sequence[KafkaMessage]:
        """Return ``batch`` without what is parked already."""
        return [raw for raw in batch if source(raw) not in self._parked] if self._parked else batch

    def park(self, failed: Failed, is_behind: Callable[[], bool]) -> None:
        """Park each message with its error; return when Kafka has them.

        While the database ``is_behind``, because it went back, a message about something unknown is passed over
        instead: that something is read again soon, and causes this message once more.

        Raises:
            Unavailable: Kafka does not take them.
        """
        if any(isinstance(error, NotHeardOf) for _, error in failed) and is_behind():
            kept = [(raw, error) for raw, error in failed if not isinstance(error, NotHeardOf)]
            log.warning("passed over what nothing is known of yet", messages=len(failed) - len(kept))
            failed = kept
        if failed:
            self._deliver([dead_letter(self._group, raw, error) for raw, error in failed])
            self._parked.update(source(raw) for raw, _ in failed)

    def park_unreadable(self, event: KafkaMessage, end: int) -> None:
        """Park, without content, all that lies from the place of ``event``, the client's error, to the offset ``end``.

        Raises:
            Unavailable: Kafka does not take it.
        """
        topic, partition, begin = source(event)
        reason = Poison("UNREADABLE", f"the offsets {begin} to {end - 1} cannot be read: {event.error()}")
        letter = dead_letter(self._group, KafkaMessage(topic=topic, partition=partition, offset=begin), reason)
        self._deliver([without_content(letter)])

    def settle(self, done: Iterable[KafkaMessage]) -> None:
        """Forget ``done``, which will not come again."""
        if self._parked:
            self._parked.difference_update(map(source, done))

    def forget(self, partitions: Container[Partition]) -> None:
        """Forget what lies in ``partitions``, which another member has now, or which are read anew."""
        self._parked = {place for place in self._parked if place[:2] not in partitions}

    def _deliver(self, letters: Sequence[Encoded]) -> None:
        try:
            self._producer.deliver(letters)
        except KafkaException as error:
            if family_of(error) is not Family.DATA or all(map(is_without_content, letters)):
                raise
            # One is too large for its topic, and we do not know which. Alone, it is sent without its content.
            for letter in letters if len(letters) > 1 else [without_content(letters[0])]:
                self._deliver([letter])
