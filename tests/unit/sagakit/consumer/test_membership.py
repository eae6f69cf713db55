"""A former client that is still leaving changes nothing, and uses nothing that the consumer's thread uses."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
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

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.made.append(self)
        self.properties = properties
        self.assigned: set[Partition] = set()
        self.closed = False

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
        """Leave, and so lose what is assigned."""
        if self.assigned:
            self.says("on_revoke")
        self.closed = True


class Parts:
    """What else a membership is wired from, all of which is quiet."""

    def __init__(self) -> None:
        self.forgotten: list[Partition] = []
        self.commits: list[tuple[bool, bool, threading.Thread]] = []
        """Of each, whether its client was closed, whether its answer is waited for, and the thread."""

    def stored(self) -> dict[Partition, int]:
        return {}

    def close(self, client: Client, *, wait: bool) -> None:
        self.commits.append((client.closed, wait, threading.current_thread()))

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


@pytest.mark.parametrize("wait", [True, False])
def test_what_was_handled_is_committed_once_before_the_client_leaves_and_in_the_thread_of_the_consumer(
    membership: Membership, parts: Parts, *, wait: bool
) -> None:
    (client,) = Client.made
    client.says("on_assign")
    membership.leave(wait=wait)
    assert client.closed
    assert parts.commits == [(False, wait, threading.current_thread())]
    assert parts.forgotten == [PING]
    assert membership.owned == set()


@pytest.mark.parametrize("what", ["on_assign", "on_revoke", "on_lost"])
def test_a_former_client_changes_nothing_that_its_successor_owns(
    membership: Membership, parts: Parts, what: str
) -> None:
    membership.rejoin()
    former, present = Client.made
    if what != "on_assign":
        present.says("on_assign")
    owned, commits = set(membership.owned), list(parts.commits)
    former.says(what)
    assert membership.owned == owned
    assert parts.commits == commits


def test_a_former_client_that_reaches_no_broker_does_not_make_its_successor_seem_lost(membership: Membership) -> None:
    membership.rejoin()
    former, present = Client.made
    present.properties["stats_cb"](statistics("UP"))
    assert membership.is_connected
    former.properties["stats_cb"](statistics("DOWN"))
    assert membership.is_connected


def statistics(state: str) -> str:
    return json.dumps({"brokers": {"one": {"nodeid": 1, "state": state}}})


def test_the_late_answer_to_a_former_clients_commit_is_not_noted(
    membership: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[object] = []
    monkeypatch.setattr(Offsets, "committed", lambda _, *answer: answers.append(answer))
    membership.rejoin()
    former, present = Client.made
    former.properties["on_commit"](None, [])
    assert answers == []
    present.properties["on_commit"](None, [])
    assert answers == [(None, [])]
