"""Kafka, as far as the services can tell: partitions by key, offsets, and what each group has committed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.messages import Message, Outgoing, Record

PARTITIONS = 2

Place = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass
class Log:
    """All topics and all groups. A key is always in the same partition of a topic."""

    places: dict[Place, list[Message[Record]]] = field(default_factory=dict)
    committed: dict[tuple[str, Place], int] = field(default_factory=dict)
    """By group and place: the offset to go on from."""
    _ids: int = 0

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        for one in outgoing:
            self.append(one.record)

    def append(self, record: Record) -> None:
        """Add a record to the end of its partition, under a message id of its own."""
        self._ids += 1
        place = (record.TOPIC, record.key % PARTITIONS)
        held = self.places.setdefault(place, [])
        held.append(Message(record, *place, len(held), f"m{self._ids}", None))

    def fetch(
        self, group: str, topics: Sequence[str], stored: Mapping[Place, int], *, first: int, limit: int
    ) -> list[Message[Record]]:
        """Return up to ``limit`` messages that ``group`` has not committed, of its partitions from the ``first`` on.

        Where its database has ``stored`` less, it goes on from there.
        """
        places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        turn = first % len(places)
        batch: list[Message[Record]] = []
        for place in places[turn:] + places[:turn]:
            begin = min(self.committed.get((group, place), 0), stored.get(place, 0))
            batch += self.places.get(place, [])[begin:][: limit - len(batch)]
        return batch

    def commit(self, group: str, batch: Sequence[Message[Record]]) -> None:
        """Commit what was handled; while something is read again, what was committed before stays."""
        for message in batch:
            key = group, (message.topic, message.partition)
            self.committed[key] = max(message.offset + 1, self.committed.get(key, 0))

    def is_missing(self, group: str, stored: Mapping[Place, int]) -> bool:
        """Say whether a database with ``stored`` offsets has less than ``group`` has committed."""
        return any(
            offset > stored.get(place, 0) for (member, place), offset in self.committed.items() if member == group
        )

    def rewind(self, group: str, back: int) -> None:
        """Forget the last ``back`` offsets that ``group`` committed in each partition: they come again."""
        for key in [key for key in self.committed if key[0] == group]:
            self.committed[key] = max(0, self.committed[key] - back)

    def delete(self, topic: str) -> None:
        """Delete ``topic`` with all that is in it and make it anew, empty: its offsets begin at 0 again."""
        for place in [place for place in self.places if place[0] == topic]:
            del self.places[place]
        for key in [key for key in self.committed if key[1][0] == topic]:
            del self.committed[key]

    def messages(self) -> Iterator[Message[Record]]:
        for held in self.places.values():
            yield from held
