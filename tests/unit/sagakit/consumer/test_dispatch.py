"""Batches are cut where a key recurs, and each record type goes to its own handler."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordersaga.messages import DecreaseProductCommand, IncreaseProductCommand, ProductDecreased, ProductIncreased

from sagakit.consumer.dispatch import cut, dispatcher, handles
from sagakit.errors import Poison
from sagakit.messages import Message
from sagakit.postgres.pipeline import Pipeline
from sagakit.records import Record

PIPELINE = cast("Pipeline", None)


def decrease(key: int) -> DecreaseProductCommand:
    return DecreaseProductCommand(order_id=key, product_id=1, quantity=1, price=1)


def increase(key: int) -> IncreaseProductCommand:
    return IncreaseProductCommand(order_id=key, product_id=1, quantity=1)


def messages(*records: Record) -> list[Message[Record]]:
    return [Message(record, record.TOPIC, 0, at, f"message-{at}", None) for at, record in enumerate(records)]


@given(st.lists(st.integers(0, 5)))
def test_a_cut_batch_keeps_its_order_and_has_each_key_once_in_a_run(keys: list[int]) -> None:
    runs = cut(messages(*map(decrease, keys)))
    assert [message.record.key for run in runs for message in run] == keys
    for run in runs:
        assert len({message.record.key for message in run}) == len(run) > 0
    for run, following in pairwise(runs):
        assert following[0].record.key in {message.record.key for message in run}


def test_each_type_goes_to_its_handler_and_each_answer_names_its_cause() -> None:
    calls: list[Sequence[Record]] = []

    @handles(DecreaseProductCommand)
    def decreased(commands: Sequence[DecreaseProductCommand], _: Pipeline) -> list[ProductDecreased]:
        calls.append(commands)
        return [ProductDecreased(order_id=c.order_id, success=True) for c in reversed(commands)]

    @handles(IncreaseProductCommand)
    def increased(commands: Sequence[IncreaseProductCommand], _: Pipeline) -> list[ProductIncreased]:
        calls.append(commands)
        return [ProductIncreased(order_id=c.order_id) for c in commands]

    batch = messages(decrease(1), increase(2), decrease(3), increase(1))
    answers = dispatcher(decreased, increased)(batch, PIPELINE)
    assert calls == [[decrease(1), decrease(3)], [increase(2)], [increase(1)]]
    assert {(type(a.record), a.record.key, a.cause.message_id if a.cause else "") for a in answers} == {
        (ProductDecreased, 1, "message-0"),
        (ProductDecreased, 3, "message-2"),
        (ProductIncreased, 2, "message-1"),
        (ProductIncreased, 1, "message-3"),
    }


def test_a_type_that_nobody_handles_is_poison() -> None:
    with pytest.raises(Poison) as caught:
        dispatcher()(messages(decrease(1)), PIPELINE)
    assert caught.value.reason == "NOT_HANDLED"
