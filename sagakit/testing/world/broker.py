"""Kafka in memory: topics with partitions, and groups with members and committed offsets.

What Kafka does, and where that is written:

- A partition is a log: what is appended gets the next offset, and what is deleted by retention leaves the others theirs
  (https://kafka.apache.org/documentation/#intro_concepts_and_terms, "log start offset").
- A partition of a group has one owner. By KIP-848 the coordinator takes single partitions away from a member, waits
  until it has let go of them, and gives them to another only then; a member that is silent too long is *fenced*
  (https://cwiki.apache.org/confluence/display/KAFKA/KIP-848, "Reconciliation").
- The broker accepts a commit of any member that is not fenced, for any partition that exists.
- A topic that is deleted takes its committed offsets along; partitions that are added begin empty, and nothing moves.

Tests run the same against this broker and a real one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError

from sagakit.kafka.consumed import Partition

Headers = Sequence[tuple[str, bytes | None]]


class Stored(NamedTuple):
    """A message as it lies in its partition."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Committed(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    metadata: str


class Member(Protocol):
    """One member of a group, as its coordinator sees it."""

    topics: Sequence[str]

    def fenced(self) -> None:
        """Note that others have its partitions; its callbacks learn of it at the next poll."""


@dataclass
class Group:
    """One consumer group."""

    committed: dict[Partition, Committed] = field(default_factory=dict)
    owned: dict[Member, set[Partition]] = field(default_factory=dict)
    """The partitions that each member holds; the members in the order in which they joined."""


class Broker:
    """All topics and all groups."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        """Make each topic with so many ``partitions``."""
        self.topics: dict[str, list[list[Stored]]] = {
            topic: [[] for _ in range(count)] for topic, count in partitions.items()
        }
        self._begins: dict[Partition, int] = {}
        self.groups: dict[str, Group] = {}
        self.news: list[tuple[Partition, Stored]] = []
        """Every message that was ever appended, also those that were deleted since."""
        self.read_again: list[tuple[str, Partition, int]] = []
        """Messages that a group gets again although it had committed them: group, partition and offset."""

    def group(self, name: str) -> Group:
        """Return the group ``name``, and make it where there is none."""
        return self.groups.setdefault(name, Group())

    def places(self, topics: Iterable[str]) -> list[Partition]:
        """Return all partitions of ``topics``."""
        return [(topic, number) for topic in topics for number in range(len(self.topics.get(topic, ())))]

    def log(self, place: Partition) -> list[Stored]:
        """Return the messages of a partition that is there, the oldest first."""
        topic, number = place
        return self.topics[topic][number]

    def begin(self, place: Partition) -> int:
        """Return the offset of the oldest message that a partition holds, or its end where it is empty."""
        return self._begins.get(place, 0)

    def end(self, place: Partition) -> int:
        """Return the offset that the next message of a partition gets."""
        return self.begin(place) + len(self.log(place))

    def append(self, place: Partition, key: bytes | None, value: bytes | None, headers: Headers) -> Stored:
        """Write a message to the end of a partition."""
        stored = Stored(self.end(place), key, value, tuple(headers))
        self.log(place).append(stored)
        self.news.append((place, stored))
        return stored

    def hand_out(self, name: str, place: Partition, offset: int) -> Stored:
        """Give the group ``name`` the message at an offset, and note where it had committed that already."""
        committed = self.group(name).committed.get(place)
        if committed and offset < committed.offset:
            self.read_again.append((name, place, offset))
        return self.log(place)[offset - self.begin(place)]

    def add_partition(self, topic: str) -> None:
        """Give a topic one partition more."""
        self.topics[topic].append([])

    def empty(self, topic: str) -> None:
        """Delete a topic with its offsets, and make it anew with as many partitions, once its consumers know."""
        self.topics[topic] = [[] for _ in self.topics[topic]]
        self._begins = {place: at for place, at in self._begins.items() if place[0] != topic}
        for group in self.groups.values():
            group.committed = {place: one for place, one in group.committed.items() if place[0] != topic}

    def trim(self, place: Partition, begin: int) -> None:
        """Delete what lies before ``begin``, as retention does."""
        held = self.log(place)
        del held[: begin - self.begin(place)]
        self._begins[place] = begin

    def join(self, name: str, member: Member) -> None:
        """Take ``member`` into the group ``name``."""
        self.group(name).owned[member] = set()

    def leave(self, name: str, member: Member) -> None:
        """Let ``member`` go, and others have its partitions."""
        self.group(name).owned.pop(member, None)

    def fence(self, name: str, member: Member) -> None:
        """Fence a member that is silent too long."""
        if self.group(name).owned.pop(member, None) is not None:
            member.fenced()

    def to_let_go(self, name: str, member: Member) -> set[Partition]:
        """Return the partitions that ``member`` holds and another member is to get."""
        return self.group(name).owned[member] - self._target(name, member)

    def to_take(self, name: str, member: Member) -> set[Partition]:
        """Return the partitions that ``member`` is to get and no member holds any more."""
        taken = set().union(*self.group(name).owned.values())
        return self._target(name, member) - taken

    def commit(self, name: str, member: Member, offsets: Mapping[Partition, Committed]) -> dict[Partition, int]:
        """Commit offsets for a group; return an error code for each partition that is refused."""
        group = self.group(name)
        if member not in group.owned:
            return dict.fromkeys(offsets, int(KafkaError.UNKNOWN_MEMBER_ID))
        there = offsets.keys() & set(self.places(topic for topic, _ in offsets))
        for place in there & group.committed.keys():
            if offsets[place].offset < group.committed[place].offset:
                self.read_again.append((name, place, offsets[place].offset))
        group.committed |= {place: offsets[place] for place in there}
        return dict.fromkeys(offsets.keys() - there, int(KafkaError.UNKNOWN_TOPIC_OR_PART))

    def messages(self, topics: Iterable[str]) -> Iterator[tuple[Partition, Stored]]:
        """Yield all that ``topics`` hold, partition by partition."""
        for place in self.places(topics):
            for stored in self.log(place):
                yield place, stored

    def _target(self, name: str, member: Member) -> set[Partition]:
        """Return the partitions that ``member`` holds once the group has settled: its share."""
        members = list(self.group(name).owned)
        turn = members.index(member)
        return {place for at, place in enumerate(self.places(member.topics)) if at % len(members) == turn}
