"""Which messages fail by a fault of their own, and which only meet a bug.

Where nobody has foreseen the error, nothing that the message says of itself tells the two apart. What does is whether
the same code handles another message of that topic: until then it is held back, and neither parked nor passed.
"""

from collections.abc import Container, Sequence

from confluent_kafka import Message as KafkaMessage

from chassis.dead_letters import Place, source
from chassis.errors import Unavailable
from chassis.families import Family, family_of, passes
from chassis.handling import Failed

_BAD_DEPLOY_MESSAGES = 10
"""Where so many fail for no known reason and not one of their topics is handled, the code is bad, not the data."""


class HeldBackError(Unavailable):
    """A few messages fail for no known reason; it passes once another one of their topic has been handled."""


class BadDeployError(Exception):
    """Message after message fails so: parking them would empty the topic into the dead letters."""


class Suspects:
    """The messages of one consumer that are held back, and those of them that are found guilty by now."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: set[Place] = set()
        self._guilty: set[Place] = set()

    @property
    def count(self) -> int:
        """How many are held back."""
        return len(self._held)

    def judge(self, batch: Sequence[KafkaMessage], failed: Failed) -> tuple[Failed, Failed]:
        """Return which of ``failed`` are to be parked, and which are held back, also those whose error passes.

        The rest of ``batch`` was handled. That clears the code which handles its topic, for those of ``failed`` and for
        what was held back before and comes again.
        """
        if not (failed or self._held or self._guilty):
            return [], []
        places, fails = {source(raw) for raw in batch}, {source(raw) for raw, _ in failed}
        cleared = {topic for topic, _, _ in places - fails}
        self._guilty |= {place for place in self._held if place[0] in cleared}
        parked, held = Failed(), Failed()
        for raw, error in failed:
            guilty = family_of(error) is Family.DATA or source(raw)[0] in cleared or source(raw) in self._guilty
            (parked if guilty and not passes(error) else held).append((raw, error))
        back = {source(raw) for raw, error in held if not passes(error)}
        self._guilty -= places
        self._held = (self._held - places - self._guilty) | back
        return parked, held

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

    def forget(self, partitions: Container[tuple[str, int]]) -> None:
        """Leave what lies in ``partitions`` to whoever has them now."""
        self._held = {place for place in self._held if place[:2] not in partitions}
        self._guilty = {place for place in self._guilty if place[:2] not in partitions}

    def clear(self) -> None:
        """Begin anew: what was held back does not come again."""
        self._held.clear()
        self._guilty.clear()


def parted(batch: Sequence[KafkaMessage], held: Failed) -> tuple[list[KafkaMessage], list[KafkaMessage]]:
    """Return what of ``batch`` lies before the first of ``held`` in its partition, and what does not."""
    first: dict[tuple[str, int], int] = {}
    for topic, partition, offset in (source(raw) for raw, _ in held):
        first[topic, partition] = min(offset, first.get((topic, partition), offset))
    done, back = list[KafkaMessage](), list[KafkaMessage]()
    for raw in batch:
        topic, partition, offset = source(raw)
        (back if offset >= first.get((topic, partition), offset + 1) else done).append(raw)
    return done, back
