"""``make demo``: orders go through the saga, each to the end that it should come to, and the stock adds up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb
from ordersaga.orchestrator.v1 import orchestrator_pb2_grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc
from rich.console import Console

from devstack.bring_up import bring_up
from devstack.demo_view import EXPECTED, Row, board, closing
from devstack.errors import DevstackError
from devstack.services import channel_to
from devstack.stack import Stack

_PATIENCE_SECONDS = 30
_LOOK_SECONDS = 0.04
_PACE_SECONDS = 0.35
_NOTEBOOK, _PEN, _SOLD_OUT = 1, 2, 3


@dataclass
class _Cast:
    """The demo's orders: what is asked for, and how it should end."""

    console: Console
    stack: Stack
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        channel = {name: channel_to(self.stack.service(name).grpc, self.stack.security) for name in _SPEAKERS}
        self.orders = order_pb2_grpc.OrderServiceStub(channel["order_svc"])
        self.products = product_pb2_grpc.ProductServiceStub(channel["product_svc"])
        self.sagas = orchestrator_pb2_grpc.OrchestratorServiceStub(channel["orchestrator_svc"])

    def stock(self) -> dict[int, product_pb2.Product]:
        ids = (_NOTEBOOK, _PEN, _SOLD_OUT)
        answers = [self.products.GetProduct(product_pb2.GetProductRequest(product_id=i)) for i in ids]
        return {answer.product.product_id: answer.product for answer in answers}

    def place(self, title: str, expected: str, request: order_pb2.CreateOrderRequest) -> None:
        order = self.orders.CreateOrder(request, timeout=10).order
        self.rows.append(Row(title, expected, order))

    def look(self) -> bool:
        """Bring every row up to date; say whether all orders are final."""
        for row in self.rows:
            if row.final:
                continue
            # The order first: once it is final, its saga's history is whole.
            row.order = self.orders.GetOrder(order_pb2.GetOrderRequest(order_id=row.order.order_id), timeout=10).order
            try:
                saga = self.sagas.GetSaga(saga_pb.GetSagaRequest(order_id=row.order.order_id), timeout=10)
                row.history = list(saga.history)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:  # the orchestrator has not heard of it yet
                    raise
        return all(row.final for row in self.rows)


_SPEAKERS = ("order_svc", "product_svc", "orchestrator_svc")


def demo(stack: Stack, console: Console, *, keep: bool) -> int:
    """Bring ``stack`` up, play the demo, and stop what was started unless it is to be kept.

    Returns 0 where every order ended as it should and the stock adds up, else 1.
    """
    ours = all(part.pid is None for part in stack.parts if not part.external)
    console.rule("[bold]1  The stack")
    bring_up(stack, console)
    try:
        good = _play(_Cast(console, stack))
    except grpc.RpcError as error:
        raise DevstackError(f"a service failed in the middle of the demo: {error.details()}") from error
    finally:
        if ours and not keep:
            stack.down()
    closing(console, stack, stopped=ours and not keep)
    return 0 if good else 1


def _play(cast: _Cast) -> bool:
    before = cast.stock()
    cast.console.rule("[bold]2  Orders on their way")
    _run(cast, _script(before))
    cast.console.rule("[bold]3  The check")
    return _check(cast, before)


def _script(stock: dict[int, product_pb2.Product]) -> Sequence[tuple[str, str, order_pb2.CreateOrderRequest]]:
    """Return the orders of the demo with the end that each should come to."""
    notebook, pen, ink = stock[_NOTEBOOK], stock[_PEN], stock[_SOLD_OUT]

    def order(product: product_pb2.Product, quantity: int = 1, **other: object) -> order_pb2.CreateOrderRequest:
        request = order_pb2.CreateOrderRequest(
            user_id=1, product_id=product.product_id, quantity=quantity, price=product.price, address="Main Street 1"
        )
        for name, value in other.items():
            setattr(request, name, value)
        return request

    return (
        (f"1 x {notebook.name}", "COMPLETED", order(notebook)),
        (f"3 x {notebook.name}", "COMPLETED", order(notebook, 3)),
        (f"1 x {ink.name}", "OUT_OF_STOCK", order(ink)),
        (f"{pen.stock + 1} x {pen.name}, of {pen.stock}", "OUT_OF_STOCK", order(pen, pen.stock + 1)),
        (f"1 x {notebook.name}, at last year's price", "PRICE_CHANGED", order(notebook, price=notebook.price - 1)),
        ("1 x something unheard of", "UNKNOWN_PRODUCT", order(notebook, product_id=999_999)),
        (f"5 x {notebook.name}, to a PO box", "UNDELIVERABLE_ADDRESS", order(notebook, 5, address="PO Box 42")),
        (f"2 x {notebook.name}", "COMPLETED", order(notebook, 2)),
    )


def _run(cast: _Cast, script: Sequence[tuple[str, str, order_pb2.CreateOrderRequest]]) -> None:
    """Place the orders one after the other and show how each moves, until all are final or patience ends."""
    waiting = list(script)
    next_order = time.monotonic()
    give_up = next_order + _PATIENCE_SECONDS
    with board(cast.console, cast.rows) as show:
        while (waiting or not cast.look()) and time.monotonic() < give_up:
            if waiting and time.monotonic() >= next_order:
                cast.place(*waiting.pop(0))
                next_order += _PACE_SECONDS
            cast.look()
            show()
            time.sleep(_LOOK_SECONDS)
        show()


def _check(cast: _Cast, before: dict[int, product_pb2.Product]) -> bool:
    """Print whether each order ended as it should, and whether the stock adds up."""
    good = True
    for row in cast.rows:
        if row.outcome != row.expected:
            good = False
            text = f"order {row.order.order_id} should have ended {EXPECTED[row.expected]}, and is {row.outcome}"
            cast.console.print(f"[red]✘[/] {text}", highlight=False)
    for product_id, now in cast.stock().items():
        completed = [row.order for row in cast.rows if row.outcome == "COMPLETED"]
        sold = sum(order.quantity for order in completed if order.product_id == product_id)
        adds_up = before[product_id].stock - sold == now.stock
        good = good and adds_up
        mark = "[green]✔[/]" if adds_up else "[red]✘[/]"
        sum_ = f"{before[product_id].stock:,} in stock - {sold} sold = {now.stock:,}"
        cast.console.print(f"{mark} {now.name}: {sum_}", highlight=False)
    verdict = "[bold green]Every order ended as it should." if good else "[bold red]Something is wrong: see above."
    cast.console.print(verdict)
    return good
