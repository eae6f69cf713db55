"""``ordersaga order``: place orders, read, watch and cancel them."""

import sys
import uuid
from collections.abc import Iterator

import click
from ordersaga.order.v1 import order_pb2 as pb
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub
from rich.text import Text

from ordersaga_cli import show
from ordersaga_cli.calls import CALL_SECONDS, order_service, renewed, saying_what_became
from ordersaga_cli.line import ID, LIMIT, PIECES, PRICE, Group, actor_option, json_option
from ordersaga_cli.places import ORDER_SVC, service_option
from ordersaga_cli.table import Column, print_table

_PAGE = 500
_STATUSES = [name.removeprefix("ORDER_STATUS_") for name in pb.OrderStatus.keys() if pb.OrderStatus.Value(name)]  # noqa: SIM118 - no dict
_COLOURS = {
    pb.ORDER_STATUS_PENDING: "yellow",
    pb.ORDER_STATUS_COMPLETED: "green",
    pb.ORDER_STATUS_CANCELLED: "magenta",
}


@click.group(cls=Group)
def order() -> None:
    """Orders: place, read, watch, cancel."""


@order.command(
    examples=[
        "ordersaga order create --user 1 --product 1 --quantity 2 --price 10000 --watch",
        'ordersaga order create --user 1 --product 1 --price 10000 --address "PO Box 42"',
    ],
    then="`ordersaga order watch ID` shows how it ends; with --watch the exit code is 1 where it ends CANCELLED.",
)
@click.option("--user", type=ID, required=True, help="Who orders, the user's id.")
@click.option("--product", type=ID, required=True, help="What, the product's id.")
@click.option("--quantity", type=PIECES, default=1, show_default=True, help="How many pieces.")
@click.option(
    "--price",
    type=PRICE,
    required=True,
    help="The unit price that the customer saw, in the minor unit (cents).",
)
@click.option("--address", default="", help="Where to deliver.")
@click.option("--request-id", default=lambda: str(uuid.uuid4()), help="A UUID; repeated, it never orders twice.")
@click.option("--watch", "wait", is_flag=True, help="Wait until the order is final.")
@json_option
@service_option(ORDER_SVC)
def create(
    *,
    user: int,
    product: int,
    quantity: int,
    price: int,
    address: str,
    request_id: str,
    wait: bool,
    as_json: bool,
    order_svc: str,
) -> None:
    """Place an order. The answer comes as soon as the order is stored, PENDING."""
    request = pb.CreateOrderRequest(
        user_id=user, product_id=product, quantity=quantity, price=price, address=address, request_id=request_id
    )
    repeat = f"repeat it with --request-id {request_id}, which never orders twice"
    with saying_what_became("no order was placed", repeat), order_service(order_svc) as orders:
        created = orders.CreateOrder(request, timeout=CALL_SECONDS)
    if wait:
        final = _watch(order_svc, created.order.order_id, as_json=as_json)
        if final.status == pb.ORDER_STATUS_CANCELLED:
            raise click.exceptions.Exit(1)
    elif as_json:
        show.document(created)
    else:
        show.say(_line(created.order))
        show.say(f"Next: `ordersaga order watch {created.order.order_id}`")


@order.command(
    examples=["ordersaga order get 42", "ordersaga order get 42 --json"],
    then="`ordersaga saga show ID` shows the order's history.",
)
@click.argument("order_id", type=ID, metavar="ID")
@json_option
@service_option(ORDER_SVC)
def get(*, order_id: int, as_json: bool, order_svc: str) -> None:
    """Show one order."""
    with order_service(order_svc) as orders:
        found = orders.GetOrder(pb.GetOrderRequest(order_id=order_id), timeout=CALL_SECONDS)
    if as_json:
        show.document(found)
    else:
        show.facts(found.order)


@order.command(
    examples=["ordersaga order watch 42", "ordersaga order watch 42 --json"],
    then="`ordersaga saga show ID` shows what the order waits for.",
)
@click.argument("order_id", type=ID, metavar="ID")
@json_option
@service_option(ORDER_SVC)
def watch(*, order_id: int, as_json: bool, order_svc: str) -> None:
    """Watch an order until it is final."""
    _watch(order_svc, order_id, as_json=as_json)


@order.command(
    examples=['ordersaga order cancel 42 --reason "ordered by mistake"'],
    then="`ordersaga order watch ID` shows whether it was in time: once the delivery exists, the order completes.",
)
@click.argument("order_id", type=ID, metavar="ID")
@click.option("--reason", default="", help="Why, for the history.")
@actor_option
@json_option
@service_option(ORDER_SVC)
def cancel(*, order_id: int, reason: str, actor: str, as_json: bool, order_svc: str) -> None:
    """Ask that an order be cancelled."""
    request = pb.CancelOrderRequest(order_id=order_id, actor=actor, reason=reason)
    repeat = "repeat it: asking twice is as asking once"
    with saying_what_became("nothing was asked", repeat), order_service(order_svc) as orders:
        answer = orders.CancelOrder(request, timeout=CALL_SECONDS)
    if as_json:
        show.document(answer)
    else:
        show.say(f"{_line(answer.order)}, its cancel is requested")
        show.say(f"Next: `ordersaga order watch {order_id}`")


@order.command(
    "list",
    examples=["ordersaga order list --status PENDING", "ordersaga order list --user 1 --limit 10 --json"],
    then="`ordersaga order get ID` shows one whole.",
)
@click.option("--user", type=ID, help="Of this user.")
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help=f"In this status: {', '.join(_STATUSES)}.",
)
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most this many.")
@json_option
@service_option(ORDER_SVC)
def list_(*, user: int | None, status: str | None, limit: int, as_json: bool, order_svc: str) -> None:
    """List orders, the newest first."""
    with order_service(order_svc) as orders:
        found = _list(orders, user or 0, pb.OrderStatus.Value(f"ORDER_STATUS_{status or 'UNSPECIFIED'}"), limit)
    if as_json:
        show.document(found)
        return
    print_table(
        (
            "order",
            Column("user", 1),
            "product",
            Column("quantity", 3),
            "price",
            "status",
            Column("why", folds=True),
            Column("accepted", 2),
        ),
        (
            (
                one.order_id,
                one.user_id,
                one.product_id,
                one.quantity,
                one.price,
                Text(_status(one), _COLOURS.get(one.status, "")),
                one.cancel_reason,
                f"{show.span(show.since(one.create_time))} ago",
            )
            for one in found.orders
        ),
    )
    if found.next_page_token:
        show.say(f"There are more than --limit {limit}.")


def _list(orders: OrderServiceStub, user: int, status: pb.OrderStatus.ValueType, limit: int) -> pb.ListOrdersResponse:
    """Read page by page until ``limit`` is reached."""
    found = pb.ListOrdersResponse()
    while True:
        request = pb.ListOrdersRequest(
            page_size=min(_PAGE, limit - len(found.orders)),
            page_token=found.next_page_token,
            user_id=user,
            status=status,
        )
        page = orders.ListOrders(request, timeout=CALL_SECONDS)
        found.orders.extend(page.orders)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.orders) >= limit:
            return found


def _watch(address: str, order_id: int, *, as_json: bool) -> pb.Order:
    """Print each state of an order until it is final; return the last."""
    last = pb.Order()
    for update in _updates(address, order_id):
        if update.order == last:  # a stream that is begun again tells first what is known
            continue
        last = update.order
        if as_json:
            show.document(update, line=True)
        else:
            show.say(f"{show.clock(last.update_time)}  {_line(last)}")
            sys.stdout.flush()
    return last


def _updates(address: str, order_id: int) -> Iterator[pb.WatchOrderResponse]:
    with order_service(address) as orders:
        yield from renewed(ORDER_SVC, lambda: orders.WatchOrder(pb.WatchOrderRequest(order_id=order_id)))


def _line(one: pb.Order) -> str:
    return f"order {one.order_id}  {_status(one)}" + (f", {one.cancel_reason}" if one.cancel_reason else "")


def _status(one: pb.Order) -> str:
    return show.status(pb.OrderStatus.Name(one.status))
