"""``ordersaga delivery``: list and show deliveries. Sagas alone make and cancel them."""

import click
from ordersaga.delivery.v1 import delivery_pb2 as pb
from ordersaga.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from rich.text import Text

from ordersaga_cli import show
from ordersaga_cli.calls import CALL_SECONDS, delivery_service
from ordersaga_cli.line import ID, LIMIT, Group, json_option
from ordersaga_cli.places import DELIVERY_SVC, service_option
from ordersaga_cli.table import Column, print_table

_PAGE = 500
_STATUSES = [
    name.removeprefix("DELIVERY_STATUS_")
    for name in pb.DeliveryStatus.keys()  # noqa: SIM118 - no dict
    if pb.DeliveryStatus.Value(name)
]
_COLOURS = {pb.DELIVERY_STATUS_SCHEDULED: "green", pb.DELIVERY_STATUS_CANCELLED: "magenta"}


@click.group(cls=Group)
def delivery() -> None:
    """Deliveries: list, show."""


@delivery.command(
    "list",
    examples=["ordersaga delivery list", "ordersaga delivery list --status CANCELLED --limit 10 --json"],
    then="`ordersaga delivery show ID` shows one with its address.",
)
@click.option(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help=f"In this status: {', '.join(_STATUSES)}.",
)
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most this many.")
@json_option
@service_option(DELIVERY_SVC)
def list_(*, status: str | None, limit: int, as_json: bool, delivery_svc: str) -> None:
    """List deliveries, the newest first."""
    with delivery_service(delivery_svc) as deliveries:
        found = _list(deliveries, pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status or 'UNSPECIFIED'}"), limit)
    if as_json:
        show.document(found)
        return
    print_table(
        ("delivery", "order", Column("user", 1), "status", Column("address", folds=True), Column("made", 2)),
        (
            (
                one.delivery_id,
                one.order_id,
                one.user_id,
                Text(show.status(pb.DeliveryStatus.Name(one.status)), _COLOURS.get(one.status, "")),
                one.address,
                _when(one),
            )
            for one in found.deliveries
        ),
    )
    if found.next_page_token:
        show.say(f"There are more than --limit {limit}.")


@delivery.command(
    "show",
    examples=["ordersaga delivery show 7", "ordersaga delivery show --order 42 --json"],
    then="`ordersaga saga show ORDER` shows how it came about.",
)
@click.argument("delivery_id", type=ID, metavar="[ID]", required=False)
@click.option("--order", "order_id", type=ID, help="That of this order, instead of the delivery's own id.")
@json_option
@service_option(DELIVERY_SVC)
def show_(*, delivery_id: int | None, order_id: int | None, as_json: bool, delivery_svc: str) -> None:
    """Show one delivery, by its own id or by its order's."""
    if delivery_id is not None and order_id is None:
        request = pb.GetDeliveryRequest(delivery_id=delivery_id)
    elif order_id is not None and delivery_id is None:
        request = pb.GetDeliveryRequest(order_id=order_id)
    else:
        raise click.UsageError("name the delivery either by its ID or by --order")
    with delivery_service(delivery_svc) as deliveries:
        found = deliveries.GetDelivery(request, timeout=CALL_SECONDS)
    if as_json:
        show.document(found)
    else:
        show.facts(found.delivery)


def _when(one: pb.Delivery) -> str:
    """Say when a delivery was made, and when it was cancelled, where it was."""
    made = f"{show.span(show.since(one.create_time))} ago"
    if one.status != pb.DELIVERY_STATUS_CANCELLED:
        return made
    return f"{made}, cancelled {show.span(show.since(one.update_time))} ago"


def _list(
    deliveries: DeliveryServiceStub, status: pb.DeliveryStatus.ValueType, limit: int
) -> pb.ListDeliveriesResponse:
    """Read page by page until ``limit`` is reached."""
    found = pb.ListDeliveriesResponse()
    while True:
        size = min(_PAGE, limit - len(found.deliveries))
        request = pb.ListDeliveriesRequest(page_size=size, page_token=found.next_page_token, status=status)
        page = deliveries.ListDeliveries(request, timeout=CALL_SECONDS)
        found.deliveries.extend(page.deliveries)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.deliveries) >= limit:
            return found
