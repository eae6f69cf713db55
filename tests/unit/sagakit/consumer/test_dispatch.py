"""Batches are cut where a key recurs, and each record type goes to its own handler."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagakit.consumer.dispatch import cut, dispatcher, handles
from sagakit.errors import Poison
from sagakit.messages import Message
from sagakit.postgres.pipeline import Pipeline
from sagakit.records import Record
from sagakit.testing.example import BookHotel, CancelHotel, HotelBooked, HotelCancelled

PIPELINE = cast("Pipeline", None)


def book(key: int) -> BookHotel:
    return BookHotel(key, "Rome", 2)


def cancel(key: int) -> CancelHotel:
    return CancelHotel(key, "Rome", 2)


def messages(*records: Record) -> list[Message[Record]]:
    return [Message(record, record.TOPIC, 0, at, f"message-{at}", None) for at, record in enumerate(records)]


@given(st.lists(st.integers(0, 5)))
def test_a_cut_batch_keeps_its_order_and_has_each_key_once_in_a_run(keys: list[int]) -> None:
    runs = cut(messages(*map(book, keys)))
    assert [message.record.key for run in runs for message in run] == keys
    for run in runs:
        assert len({message.record.key for message in run}) == len(run) > 0
    for run, following in pairwise(runs):
        assert following[0].record.key in {message.record.key for message in run}


def test_each_type_goes_to_its_handler_and_each_answer_names_its_cause() -> None:
    calls: list[Sequence[Record]] = []

    @handles(BookHotel)
    def booked(commands: Sequence[BookHotel], _: Pipeline) -> list[HotelBooked]:
        calls.append(commands)
        return [HotelBooked(c.key) for c in reversed(commands)]

    @handles(CancelHotel)
    def cancelled(commands: Sequence[CancelHotel], _: Pipeline) -> list[HotelCancelled]:
        calls.append(commands)
        return [HotelCancelled(c.key) for c in commands]

    batch = messages(book(1), cancel(2), book(3), cancel(1))
    answers = dispatcher(booked, cancelled)(batch, PIPELINE)
    assert calls == [[book(1), book(3)], [cancel(2)], [cancel(1)]]
    assert {(type(a.record), a.record.key, a.cause.message_id if a.cause else "") for a in answers} == {
        (HotelBooked, 1, "message-0"),
        (HotelBooked, 3, "message-2"),
        (HotelCancelled, 2, "message-1"),
        (HotelCancelled, 1, "message-3"),
    }


def test_a_type_that_nobody_handles_is_poison() -> None:
    with pytest.raises(Poison) as caught:
        dispatcher()(messages(book(1)), PIPELINE)
    assert caught.value.reason == "NOT_HANDLED"
