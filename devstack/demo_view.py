"""How the demo looks: a table that fills step by step, or plain lines where nobody watches a terminal."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb
from ordersaga.order.v1 import order_pb2
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from devstack.stack import Stack

EXPECTED = {
    "COMPLETED": "COMPLETED",
    **{
        reason: f"CANCELLED, {reason}"
        for reason in ("OUT_OF_STOCK", "UNKNOWN_PRODUCT", "PRICE_CHANGED", "UNDELIVERABLE_ADDRESS")
    },
}
_STEPS = {"decrease-product": ("stock", "taken", "given back"), "create-delivery": ("delivery", "made", "cancelled")}
"""Words for steps. One that is not here is called by its name."""
_MARKS = {
    saga_pb.SAGA_EVENT_TYPE_STEP_DONE: ("✔ ", "green"),
    saga_pb.SAGA_EVENT_TYPE_STEP_REFUSED: ("✘ ", "red"),
    saga_pb.SAGA_EVENT_TYPE_STEP_UNDONE: ("↩ ", "yellow"),
}


@dataclass
class Row:
    """One order of the demo: what was asked for, how it should end, and what is known of it by now."""

    title: str
    expected: str
    """``COMPLETED``, or the reason why it should be cancelled."""
    order: order_pb2.Order
    history: list[saga_pb.SagaEvent] = field(default_factory=list)

    @property
    def final(self) -> bool:
        """Whether the order has come to its end."""
        return self.order.status != order_pb2.ORDER_STATUS_PENDING

    @property
    def outcome(self) -> str:
        """``PENDING``, ``COMPLETED``, or the reason why it was cancelled."""
        return self.order.cancel_reason or order_pb2.OrderStatus.Name(self.order.status).removeprefix("ORDER_STATUS_")

    def told(self) -> list[str]:
        """Return the order's story so far, a few words for each step it has taken."""
        lines = ["PENDING"]
        lines += [f"{words} ({self._since(event.create_time)})" for event in self.history if (words := _words(event))]
        if self.final:
            lines.append(f"{EXPECTED.get(self.outcome, self.outcome)} ({self._since(self.order.update_time)})")
        return lines

    def cell(self, step: str) -> Text:
        """Return what the table shows of one step."""
        cell = Text("·" if not self.final else "", "dim")
        for event in self.history:
            if event.step == step:
                mark, colour = _MARKS.get(event.type, ("… ", "yellow"))
                cell = Text(mark, colour).append(f"{_became(event)} ", "default")
                cell.append(self._since(event.create_time), "dim")
        return cell

    def _since(self, moment: Timestamp) -> str:
        return f"{(moment.ToMicroseconds() - self.order.create_time.ToMicroseconds()) / 1000:.0f} ms"


def _words_of(step: str) -> tuple[str, str, str]:
    """Return what a step is called, and what is said of it when it is done and when it is undone."""
    return _STEPS.get(step, (step, "done", "undone"))


def _steps_of(rows: list[Row]) -> list[str]:
    """Return the steps that have a column: those that have words, and then the others that any order has taken."""
    return list(dict.fromkeys([*_STEPS, *(event.step for row in rows for event in row.history if event.step)]))


def _words(event: saga_pb.SagaEvent) -> str:
    """Return what an event means, in words; empty for the saga's beginning, which the order's PENDING tells already."""
    if not event.step:
        return ""
    reason = f": {event.reason}" if event.type == saga_pb.SAGA_EVENT_TYPE_STEP_REFUSED else ""
    return f"{_words_of(event.step)[0]} {_became(event)}{reason}"


def _became(event: saga_pb.SagaEvent) -> str:
    """Return what became of the event's step; what is neither its end nor its undoing is told by the event's name."""
    _, done, undone = _words_of(event.step)
    match event.type:
        case saga_pb.SAGA_EVENT_TYPE_STEP_DONE:
            return done
        case saga_pb.SAGA_EVENT_TYPE_STEP_UNDONE:
            return undone
        case saga_pb.SAGA_EVENT_TYPE_STEP_REFUSED:
            return "refused"
        case other:
            return saga_pb.SagaEventType.Name(other).removeprefix("SAGA_EVENT_TYPE_").lower().replace("_", " ")


@contextmanager
def board(console: Console, rows: list[Row]) -> Iterator[Callable[[], None]]:
    """Show ``rows`` while the body runs; the body calls what it gets whenever they have changed."""
    if console.is_terminal:
        with Live(table(rows), console=console, auto_refresh=False) as live:
            yield lambda: live.update(table(rows), refresh=True)
        return
    told: dict[int, int] = {}

    def print_news() -> None:
        for row in rows:
            lines, order_id = row.told(), row.order.order_id
            for line in lines[told.get(order_id, 0) :]:
                print(f"  order {order_id}  {row.title:38} {line}", flush=True)
            told[order_id] = len(lines)

    yield print_news


def table(rows: list[Row]) -> Table:
    """Return ``rows`` as a table with a column for each step."""
    steps = _steps_of(rows)
    heads = ("order", "what", *(_words_of(step)[0] for step in steps), "status")
    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        style = "yellow" if not row.final else "green" if row.outcome == "COMPLETED" else "magenta"
        status = Text(EXPECTED.get(row.outcome, row.outcome), style)
        if row.final:
            status.append(f"  {row.told()[-1].rpartition('(')[2].rstrip(')')}", "dim")
        table.add_row(str(row.order.order_id), row.title, *(row.cell(step) for step in steps), status)
    return table


def closing(console: Console, stack: Stack, *, stopped: bool) -> None:
    """Print how the same is done by hand, and how to go on."""
    console.rule("[bold]4  By hand")
    if stopped:
        console.print("Everything is stopped again. `make up` starts it; then try:")
    else:
        console.print("The stack is still running: `make status`, `make logs`, and `make down` to stop it. Try:")
    console.print()
    orders, sagas = stack.service("order_svc").grpc, stack.service("orchestrator_svc").grpc
    token = f'-H "authorization: Bearer $(cat {stack.security.operator_token})"'
    trust = f"-cacert {stack.security.ca} {token}" if stack.security.on else "-plaintext"
    seed = json.dumps({"userId": 1, "productId": 1, "quantity": 1, "price": 10000}, separators=(",", ":"))
    which = '{"orderId":1}'
    for data, address, method in (
        (seed, orders, "ordersaga.order.v1.OrderService/CreateOrder"),
        (which, orders, "ordersaga.order.v1.OrderService/WatchOrder"),
        (which, sagas, "ordersaga.orchestrator.v1.OrchestratorService/GetSaga"),
    ):
        console.print(f"grpcurl {trust} -d '{data}' {address} {method}", highlight=False, soft_wrap=True)
    console.print()
    if stopped:
        console.print("`make demo KEEP=1` leaves it running.")
    console.print("To see a saga wait, be retried, get stuck and be undone: docs/break-it.md.")
    console.print("How it works: docs/architecture.md. Your own steps in place of ours: docs/how-to/add-a-step.md.")
