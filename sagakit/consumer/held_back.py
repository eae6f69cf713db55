"""Which messages fail by a fault of their own, and which fail because of a bug.

An unforeseen error does not say which of the two it is. But if the same code later handles another message of the same
topic and type, the first message is at fault. Until then that message is held back: neither parked nor passed.
"""

from collections.abc import Container, Sequence

from confluent_kafka import Message as KafkaMessage

from sagakit.consumer.batch_handler import Failed
from sagakit.errors import Unavailable
from sagakit.families import Family, family_of, passes
from sagakit.kafka.consumed import Partition, Place, headers_of, source
from sagakit.messages import MESSAGE_TYPE
from sagakit.runtime import metrics

_Kind = tuple[str, bytes | None]
"""A topic, and a type of message."""

_BAD_DEPLOY_MESSAGES = 10
"""Where so many fail for no known reason, and none of their kind is handled, the code is bad and not the data."""


class HeldBackError(Unavailable):
    """A few messages fail for no known reason; this passes once another one of their kind has been handled."""


class BadDeployError(Exception):
    """Message after message fails so; parking them would empty the topic into the dead letters."""


class HeldBack:
    """The messages of one consumer that are held back, and those of them that are found to be at fault."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[Place, _Kind] = {}
        self._guilty: set[Place] = set()
        self._report()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._held or self._guilty)

    @property
    def count(self) -> int:
        """How many are held back, and not found to be at fault."""
        return len(self._held)

    @property
    def convicted(self) -> set[Partition]:
        """The partitions in which a message lies that is found to be at fault."""
        return {place[:2] for place in self._guilty}

    def judge(self, batch: Sequence[KafkaMessage], failed: Failed) -> tuple[Failed, Failed]:
        """Return which of ``failed`` are to be parked, and which are held back, also those whose error passes.

        The rest of ``batch`` was handled. That clears the code, and convicts the messages of its kind that were held
        back before. It says nothing of those that fail for the first time in this batch: the bug may be newer.
        """
        if not (failed or self):
            return [], []
        fails = {source(raw) for raw, _ in failed}
        handled = [raw for raw in batch if source(raw) not in fails]
        cleared = {_kind(raw) for raw in handled}
        self._guilty |= {place for place, kind in self._held.items() if kind in cleared}
        parked, held = Failed(), Failed()
        for raw, error in failed:
            if passes(error):
                self._guilty.discard(source(raw))
                held.append((raw, error))
            else:
                guilty = family_of(error) is Family.DATA or source(raw) in self._guilty
                (parked if guilty else held).append((raw, error))
        self._held |= {source(raw): _kind(raw) for raw, error in held if not passes(error)}
        self._held = {place: kind for place, kind in self._held.items() if place not in self._guilty}
        self.settle(handled)
        return parked, held

    def settle(self, done: Sequence[KafkaMessage]) -> None:
        """Forget ``done``, which are handled, or parked."""
        for place in map(source, done):
            self._held.pop(place, None)
            self._guilty.discard(place)
        self._report()

    def reason(self, held: Failed) -> Exception:
        """Return why ``held`` are held back."""
        error = next((error for _, error in held if not passes(error)), None)
        if error is None:
            return held[0][1]
        kind = HeldBackError if self.count < _BAD_DEPLOY_MESSAGES else BadDeployError
        what = f"{self.count} messages in a row fail, and none is handled; here: {type(error).__name__}: {error}"
        suspicion = kind(what)
        suspicion.__cause__ = error
        return suspicion

    def forget(self, partitions: Container[Partition]) -> None:
        """Forget what lies in ``partitions``, which another member has now, or which are read anew."""
        self._held = {place: kind for place, kind in self._held.items() if place[:2] not in partitions}
        self._guilty = {place for place in self._guilty if place[:2] not in partitions}
        self._report()

    def clear(self) -> None:
        """Forget all: what was held back does not come again."""
        self._held.clear()
        self._guilty.clear()
        self._report()

    def _report(self) -> None:
        metrics.HELD_BACK.set(self.count)


def _kind(raw: KafkaMessage) -> _Kind:
    return source(raw)[0], dict(headers_of(raw)).get(MESSAGE_TYPE)


def parted(batch: Sequence[KafkaMessage], held: Failed) -> tuple[list[KafkaMessage], list[KafkaMessage]]:
    """Part ``batch`` into what lies before the first of ``held`` in its partition, and the rest."""
    first: dict[tuple[str, int], int] = {}
    for topic, partition, offset in (source(raw) for raw, _ in held):
        first[topic, partition] = min(offset, first.get((topic, partition), offset))
    done, back = list[KafkaMessage](), list[KafkaMessage]()
    for raw in batch:
        topic, partition, offset = source(raw)
        (back if offset >= first.get((topic, partition), offset + 1) else done).append(raw)
    return done, back
