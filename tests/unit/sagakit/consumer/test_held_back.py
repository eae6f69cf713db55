"""Which messages are blamed for an error that nobody has foreseen."""

import pytest
from confluent_kafka import Message

from sagakit.consumer.held_back import BadDeployError, HeldBack, HeldBackError, parted
from sagakit.errors import Poison, Unavailable

BUG = ValueError("a bug")


def at(offset: int, topic: str = "orders", partition: int = 0, kind: bytes = b"Do") -> Message:
    return Message(topic=topic, partition=partition, offset=offset, headers=[("message-type", kind)])


def offsets(failed: list[tuple[Message, Exception]]) -> list[int | None]:
    return [raw.offset() for raw, _ in failed]


@pytest.fixture
def suspects() -> HeldBack:
    return HeldBack()


def test_a_message_that_fails_alone_is_held_back(suspects: HeldBack) -> None:
    parked, held = suspects.judge([at(0)], [(at(0), BUG)])
    assert (offsets(parked), offsets(held), suspects.count) == ([], [0], 1)


def test_a_message_that_fails_beside_one_that_is_handled_is_to_blame_if_it_fails_again(suspects: HeldBack) -> None:
    parked, held = suspects.judge([at(0), at(1)], [(at(0), BUG)])
    assert (offsets(parked), offsets(held)) == ([], [0])
    parked, held = suspects.judge([at(0), at(1)], [(at(0), BUG)])
    assert (offsets(parked), offsets(held)) == ([0], [])


def test_a_message_that_was_held_back_is_to_blame_once_another_one_was_handled_without_it(suspects: HeldBack) -> None:
    suspects.judge([at(0)], [(at(0), BUG)])
    assert suspects.judge([at(7, partition=1)], []) == ([], [])
    assert suspects.count == 0
    parked, held = suspects.judge([at(0)], [(at(0), BUG)])
    assert (offsets(parked), offsets(held)) == ([0], [])


def test_what_is_handled_of_another_topic_says_nothing_of_this_one(suspects: HeldBack) -> None:
    batch = [at(0), at(0, "deliveries")]
    parked, held = suspects.judge(batch, [(batch[0], BUG)])
    assert (offsets(parked), offsets(held)) == ([], [0])
    suspects.judge([at(1, "deliveries")], [])
    assert suspects.count == 1


def test_what_is_handled_of_another_type_says_nothing_of_this_one(suspects: HeldBack) -> None:
    suspects.judge([at(0, kind=b"Undo")], [(at(0, kind=b"Undo"), BUG)])
    suspects.judge([at(1, kind=b"Do")], [])
    assert suspects.count == 1


def test_a_verdict_outlives_a_letter_that_kafka_did_not_take(suspects: HeldBack) -> None:
    suspects.judge([at(0)], [(at(0), BUG)])
    suspects.judge([at(7, partition=1)], [])
    assert suspects.convicted == {("orders", 0)}
    for _ in range(2):
        parked, held = suspects.judge([at(0)], [(at(0), BUG)])
        assert (offsets(parked), offsets(held)) == ([0], [])
    suspects.settle([at(0)])
    assert not suspects


def test_what_is_the_datas_fault_is_parked_at_once_and_clears_nobody(suspects: HeldBack) -> None:
    poison = Poison("REUSED_ID", "not the same")
    parked, held = suspects.judge([at(0), at(1)], [(at(0), poison), (at(1), BUG)])
    assert (offsets(parked), offsets(held)) == ([0], [1])


def test_a_message_that_was_held_back_and_is_handled_after_all_is_forgotten(suspects: HeldBack) -> None:
    suspects.judge([at(0)], [(at(0), BUG)])
    suspects.judge([at(0)], [])
    assert suspects.count == 0
    parked, held = suspects.judge([at(0)], [(at(0), BUG)])
    assert (offsets(parked), offsets(held)) == ([], [0])


def test_a_message_that_is_tried_again_and_again_counts_once(suspects: HeldBack) -> None:
    for _ in range(20):
        _, held = suspects.judge([at(0)], [(at(0), BUG)])
        assert isinstance(suspects.reason(held), HeldBackError)


def test_what_cannot_be_decoded_for_now_is_held_back_and_is_nobodys_fault(suspects: HeldBack) -> None:
    away = Unavailable("the registry is away")
    for offset in range(10):
        parked, held = suspects.judge([at(offset), at(99, partition=1)], [(at(offset), away)])
        assert (offsets(parked), offsets(held), suspects.count) == ([], [offset], 0)
        assert suspects.reason(held) is away


def test_ten_messages_are_a_bad_deploy(suspects: HeldBack) -> None:
    for offset in range(9):
        suspects.judge([at(offset)], [(at(offset), BUG)])
    _, held = suspects.judge([at(9)], [(at(9), BUG)])
    reason = suspects.reason(held)
    assert isinstance(reason, BadDeployError)
    assert str(reason) == "10 messages in a row fail, and none is handled; here: ValueError: a bug"


def test_partitions_that_another_member_has_now_are_its_own_affair(suspects: HeldBack) -> None:
    batch = [at(0), at(0, partition=1)]
    suspects.judge(batch, [(raw, BUG) for raw in batch])
    suspects.forget({("orders", 0)})
    assert suspects.count == 1


def test_what_lies_before_a_message_that_is_held_back_is_done_and_what_lies_behind_it_comes_again() -> None:
    batch = [at(3), at(4), at(5), at(9, partition=1)]
    done, back = parted(batch, [(batch[2], BUG), (batch[1], BUG)])
    assert (done, back) == ([batch[0], batch[3]], [batch[1], batch[2]])
