"""A former client that is still leaving says nothing about the partitions that its successor owns."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition

from sagakit.consumer.membership import Membership
from sagakit.consumer.stalled_partitions import StalledPartitionDetector
from sagakit.kafka.consumed import Partition
from sagakit.offsets.handled import Offsets

PING: Partition = ("pings", 0)


class Client:
    """A Kafka client whose callbacks the test calls."""

    made: list["Client"]

    def __init__(self, _: object) -> None:
        self.made.append(self)
        self.assigned: set[Partition] = set()

    def subscribe(self, _: object, **callbacks: Callable[[Any, list[TopicPartition]], None]) -> None:
        self.callbacks = callbacks

    def says(self, what: str) -> None:
        """Say that the one partition is assigned, revoked or lost."""
        self.callbacks[what](self, [TopicPartition(*PING)])

    def committed(self, partitions: Sequence[TopicPartition], **_: object) -> list[TopicPartition]:
        return [TopicPartition(one.topic, one.partition, 7) for one in partitions]

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.assigned |= {(one.topic, one.partition) for one in partitions}

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        self.assigned -= {(one.topic, one.partition) for one in partitions}

    def pause(self, _: object) -> None:
        """Pause."""

    resume = pause

    def close(self) -> None:
        """Reach nobody, and so say nothing."""


class Parts:
    """What else a membership is wired from, all of which is quiet."""

    def __init__(self) -> None:
        self.forgotten: list[Partition] = []
        self.while_committing: Callable[[], None] = lambda: None

    def stored(self) -> dict[Partition, int]:
        return {}

    def close(self, _: object, *, wait: bool) -> None:
        assert not wait
        self.while_committing()

    def report(self) -> None:
        """Report nothing."""

    def forget(self, partitions: Sequence[Partition], /) -> None:
        self.forgotten += partitions


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def membership(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Membership:
    Client.made = []
    monkeypatch.setattr("sagakit.consumer.membership.KafkaConsumer", Client)
    quiet = cast("Any", parts)
    membership = Membership(
        {},
        "group",
        ["pings"],
        handler=quiet,
        offsets=Offsets(),
        offset_keeper=quiet,
        stalled_partitions=StalledPartitionDetector({}, "group", 15),
        notes=[quiet],
    )
    membership.join()
    return membership


def test_a_member_owns_what_it_is_assigned_until_that_is_revoked(membership: Membership, parts: Parts) -> None:
    (client,) = Client.made
    client.says("on_assign")
    assert membership.owned == client.assigned == {PING}
    client.says("on_revoke")
    assert membership.owned == client.assigned == set()
    assert parts.forgotten == [PING]


@pytest.mark.parametrize("what", ["on_assign", "on_revoke", "on_lost"])
def test_a_former_client_changes_nothing(membership: Membership, what: str) -> None:
    membership.rejoin()
    former, present = Client.made
    if what != "on_assign":
        present.says("on_assign")
    owned = set(membership.owned)
    former.says(what)
    assert membership.owned == owned


def test_a_client_that_is_replaced_while_it_commits_does_not_take_its_successors_partitions(
    membership: Membership, parts: Parts
) -> None:
    (former,) = Client.made
    former.says("on_assign")

    def replace() -> None:
        membership.rejoin()
        Client.made[-1].says("on_assign")
        parts.forgotten.clear()

    parts.while_committing = replace
    former.says("on_revoke")
    assert membership.owned == {PING}
    assert parts.forgotten == []
