"""What the demo shows of an order, also of steps that were added since its words were written."""

import re
from io import StringIO
from pathlib import Path

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb
from ordersaga.order.v1 import order_pb2
from rich.console import Console

from devstack.demo_view import Row, closing, table
from devstack.stack import Stack
from tools.paths import ROOT


def row(*events: saga_pb.SagaEvent) -> Row:
    return Row("1 x Notebook", "COMPLETED", order_pb2.Order(status=order_pb2.ORDER_STATUS_PENDING), list(events))


def event(step: str, kind: saga_pb.SagaEventType.ValueType) -> saga_pb.SagaEvent:
    return saga_pb.SagaEvent(step=step, type=kind)


def shown(*rows: Row) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(table(list(rows)))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_step_without_words_is_called_by_its_name() -> None:
    added = row(event("take-payment", saga_pb.SAGA_EVENT_TYPE_STEP_DONE))
    assert added.told() == ["PENDING", "take-payment done (0 ms)"]
    undone = row(event("take-payment", saga_pb.SAGA_EVENT_TYPE_STEP_UNDONE))
    assert undone.told() == ["PENDING", "take-payment undone (0 ms)"]


def test_a_step_without_words_has_a_column_once_an_order_has_taken_it() -> None:
    known = row(event("decrease-product", saga_pb.SAGA_EVENT_TYPE_STEP_DONE))
    assert "take-payment" not in shown(known)
    text = shown(known, row(event("take-payment", saga_pb.SAGA_EVENT_TYPE_STEP_DONE)))
    assert "stock" in text
    assert "take-payment" in text


def test_a_step_that_is_late_is_not_shown_as_done() -> None:
    late = row(event("create-delivery", saga_pb.SAGA_EVENT_TYPE_STEP_TIMED_OUT))
    assert late.told() == ["PENDING", "delivery step timed out (0 ms)"]
    assert "made" not in shown(late)


@pytest.mark.parametrize("stopped", [True, False])
def test_the_end_says_where_one_can_see_a_saga_in_trouble(tmp_path: Path, *, stopped: bool) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        closing(console, Stack.fresh(tmp_path), stopped=stopped)
    (page,) = re.findall(r"get stuck and be undone: (\S+\.md)", captured.get())
    assert (ROOT / page).exists()
