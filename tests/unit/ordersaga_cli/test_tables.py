"""Tables on terminals: each list can be read at 60 columns, and has everything at 200."""

import re

import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from ordersaga_cli.table import Column, print_table
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.services import Services, serving
from tests.unit.ordersaga_cli.test_order_commands import CANCELLED
from tests.unit.ordersaga_cli.test_saga_commands import saga, when

LONG = "a text of many words that no narrow terminal has room for in one line"
INK = product_pb2.Product(product_id=10_000_000, name=LONG, stock=1_000_000_000, price=1_000_000_000_000)
MOVEMENT = product_pb2.Movement(order_id=42, quantity=1_000_000, change=-1_000_000, refusal="PRICE_CHANGED")
DELIVERY = delivery_pb2.Delivery(
    delivery_id=1_000_000_000, order_id=42, status=delivery_pb2.DELIVERY_STATUS_SCHEDULED, address="Main Street 1"
)
EVENT = orchestrator_pb2.SagaEvent(
    version=1,
    create_time=when(-60),
    type=orchestrator_pb2.SAGA_EVENT_TYPE_STEP_REFUSED,
    step="create-delivery",
    reason=LONG,
    message_id="1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
)
HEADS = ("order ", "product ", "delivery ", "version ", "when (UTC) ", "what ")
LISTS: dict[str, tuple[dict[str, object], tuple[str, ...], tuple[str, ...]]] = {
    "order list": (
        {"ListOrders": order_pb2.ListOrdersResponse(orders=[CANCELLED])},
        ("42", "CANCELLED", "OUT_OF_STOCK"),
        ("accepted",),
    ),
    "product list": (
        {"ListProducts": product_pb2.ListProductsResponse(products=[INK])},
        ("10000000", "1000000000"),
        ("changed",),
    ),
    "product movements 7": (
        {"ListMovements": product_pb2.ListMovementsResponse(movements=[MOVEMENT])},
        ("42", "-1000000", "1000000", "PRICE_CHANGED", "ago"),
        (),
    ),
    "delivery list": (
        {"ListDeliveries": delivery_pb2.ListDeliveriesResponse(deliveries=[DELIVERY])},
        ("42", "SCHEDULED", "Main Street 1"),
        ("made",),
    ),
    "saga list": (
        {"ListSagas": orchestrator_pb2.ListSagasResponse(sagas=[saga()])},
        ("42", "COMPENSATING", "stuck"),
        ("pending command", "attempt", "deadline"),
    ),
    "saga show 42": (
        {"GetSaga": orchestrator_pb2.GetSagaResponse(saga=saga(), history=[EVENT])},
        ("STEP_REFUSED",),
        ("message-id",),
    ),
}
"""For each list: what the services answer, what is shown at 60 columns, and the columns that are left out there."""


def table_on_terminal(line: str, width: int, answers: dict[str, object]) -> list[str]:
    """Return the table's lines as a terminal of ``width`` shows them, without their colours."""
    with serving(Services(**answers)) as address:
        done = typed(line, {**at(address), "COLUMNS": str(width), "FORCE_COLOR": "1"})
    assert (done.code, done.err) == (0, "")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", done.out).splitlines()
    start = max(number for number, line in enumerate(lines) if line.startswith(HEADS) and "  " in line.strip())
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    return lines[start:end]


@pytest.mark.parametrize("line", LISTS)
def test_a_list_can_be_read_at_60_columns_and_says_what_it_leaves_out(line: str) -> None:
    answers, stays, goes = LISTS[line]
    shown = table_on_terminal(line, 60, answers)
    assert max(map(len, shown)) <= 60, shown
    text = " ".join(" ".join(shown).split())
    assert all(word in text for word in stays), shown
    assert all(name in text.partition("Left out for want of room: ")[2] for name in goes), shown


@pytest.mark.parametrize("line", LISTS)
def test_a_list_has_every_column_at_200(line: str) -> None:
    answers, stays, goes = LISTS[line]
    shown = table_on_terminal(line, 200, answers)
    assert all(name in shown[0] for name in goes), shown
    assert all(word in " ".join(shown) for word in stays), shown
    assert "Left out" not in " ".join(shown)


def test_a_text_that_folds_is_lost_nowhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    print_table(("order", Column("why", folds=True), Column("name", folds=True)), [(42, LONG, "k" * 80)])
    shown = capsys.readouterr().out
    assert shown.count("k") == 80
    assert all(word in shown for word in LONG.split())


def test_where_no_terminal_is_each_row_is_one_whole_line() -> None:
    answer = orchestrator_pb2.ListSagasResponse(sagas=[saga(last_error=LONG)])
    with serving(Services(ListSagas=answer)) as address:
        done = typed("saga list", {**at(address), "COLUMNS": "60"})
    assert len(done.lines) == 2
    assert done.lines[1].endswith(LONG)


def test_an_empty_list_says_so() -> None:
    with serving(Services(ListProducts=product_pb2.ListProductsResponse())) as address:
        assert typed("product list", at(address)).err == "There are none.\n"
