"""What every part of the checker needs: a violation, and the evidence with what follows from it at once."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.chaos.evidence import DeadLetter, Evidence, OrderRow, Record

FINAL = ("COMPLETED", "CANCELLED")


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold, and what shows it."""

    invariant: int
    text: str

    def __str__(self) -> str:
        """Write it for a report."""
        return f"({self.invariant}) {self.text}"


class Case:
    """The evidence of one run, indexed."""

    def __init__(self, evidence: Evidence) -> None:
        """Index ``evidence``."""
        self.evidence, self.rows = evidence, evidence.rows
        self.removed = evidence.removed()
        """Orders whose rows were gone after a restore, by id. Whoever got such an id later is exempt from (1)."""
        self.orders: dict[int, OrderRow] = {**self.rows.orders, **self.removed}
        """The order that each id was given to first: the one whose effects there may be."""
        self.incarnation = Counter(remade.topic for remade in evidence.remade)
        """Of each topic, the number of its last incarnation."""
        self._letters: dict[tuple[str, int, int], list[DeadLetter]] = defaultdict(list)
        for letter in evidence.dead_letters:
            self._letters[letter.topic, letter.partition, letter.offset].append(letter)
        self.by_message: dict[str, list[Record]] = defaultdict(list)
        """Records by their message-id; whoever publishes twice keeps the id."""
        for record in evidence.records:
            self.by_message[record.message_id].append(record)

    def letter(self, record: Record) -> DeadLetter | None:
        """Return the dead letter of ``record``, if it was parked."""
        place = record.place
        found = self._letters[place.topic, place.partition, place.offset]
        return next((letter for letter in found if letter.is_of(record)), None)

    def forged(self, record: Record) -> bool:
        """Say whether no service wrote ``record``: what it says was never meant."""
        return record.message_id in self.evidence.forged

    def gone(self, record: Record) -> bool:
        """Say whether the record was lost with its topic."""
        return record.place.incarnation < self.incarnation[record.place.topic]

    def remade_since(self, topic: str, time: float) -> bool:
        """Say whether ``topic`` was made anew at or after ``time``: what was in it may be gone unseen."""
        return any(remade.topic == topic and remade.time >= time for remade in self.evidence.remade)
