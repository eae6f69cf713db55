"""``ordersaga delivery``: what the user sees, and what delivery_svc is asked."""

import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.delivery.v1 import delivery_pb2 as pb

from sagakit.errors import NotFound
from tests.unit.ordersaga_cli.line import Typed, at, typed
from tests.unit.ordersaga_cli.services import Services, serving
from tests.unit.ordersaga_cli.test_saga_commands import when

DELIVERY = pb.Delivery(
    delivery_id=7,
    order_id=42,
    user_id=1,
    address="Main Street 1",
    status=pb.DELIVERY_STATUS_SCHEDULED,
    create_time=Timestamp(seconds=1_800_000_000),
    update_time=Timestamp(seconds=1_800_000_000),
)


def ask(line: str, **answers: object) -> tuple[Typed, Services]:
    services = Services(**answers)
    with serving(services) as address:
        return typed(line, at(address)), services


def test_list_shows_a_line_for_each_delivery() -> None:
    answer = pb.ListDeliveriesResponse(deliveries=[DELIVERY])
    result, services = ask("delivery list --status scheduled --limit 3", ListDeliveries=answer)
    assert services.request == pb.ListDeliveriesRequest(page_size=3, status=pb.DELIVERY_STATUS_SCHEDULED)
    assert re.match(r"7 +42 +1 +SCHEDULED +Main Street 1 ", result.lines[1])


def test_list_says_when_a_delivery_was_made_and_when_it_was_cancelled() -> None:
    cancelled = pb.Delivery(
        delivery_id=8,
        order_id=43,
        user_id=1,
        status=pb.DELIVERY_STATUS_CANCELLED,
        create_time=when(-190.5),
        update_time=when(-60.5),
    )
    scheduled = pb.Delivery(delivery_id=7, order_id=42, status=pb.DELIVERY_STATUS_SCHEDULED, create_time=when(-7200.5))
    result, _ = ask("delivery list", ListDeliveries=pb.ListDeliveriesResponse(deliveries=[cancelled, scheduled]))
    assert result.lines[1].endswith("  3 min 10 s ago, cancelled 1 min 0 s ago")
    assert result.lines[2].endswith("  2 h 0 min ago")


def test_list_reads_on_until_the_limit_and_says_that_there_are_more() -> None:
    page = pb.ListDeliveriesResponse(deliveries=[DELIVERY], next_page_token="more")  # noqa: S106 - no password
    result, services = ask("delivery list --limit 2", ListDeliveries=page)
    assert [(one.page_size, one.page_token) for one in services.requests] == [(2, ""), (1, "more")]
    assert result.lines[-1] == "There are more than --limit 2."


def test_list_as_json_has_the_fields_of_the_proto() -> None:
    result, _ = ask("delivery list --json", ListDeliveries=pb.ListDeliveriesResponse(deliveries=[DELIVERY]))
    assert result.json["deliveries"][0]["status"] == "DELIVERY_STATUS_SCHEDULED"


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("7", pb.GetDeliveryRequest(delivery_id=7)),
        ("--order 42", pb.GetDeliveryRequest(order_id=42)),
    ],
    ids=["by its own id", "by its order's"],
)
def test_show_shows_the_delivery(words: str, request_: pb.GetDeliveryRequest) -> None:
    result, services = ask(f"delivery show {words}", GetDelivery=pb.GetDeliveryResponse(delivery=DELIVERY))
    facts = dict(line.split(maxsplit=1) for line in result.lines)
    assert services.request == request_
    assert (facts["delivery_id"], facts["address"], facts["status"]) == ("7", "Main Street 1", "SCHEDULED")


@pytest.mark.parametrize("words", ["", "7 --order 42"], ids=["neither", "both"])
def test_a_delivery_is_named_in_one_way(words: str) -> None:
    result = typed(f"delivery show {words}")
    assert (result.code, "either by its ID or by --order" in result.err) == (2, True)


def test_a_delivery_that_is_not_there_is_answered_with_one_sentence() -> None:
    result, _ = ask("delivery show 8", GetDelivery=NotFound("DELIVERY_NOT_FOUND", "there is no delivery 8"))
    assert result.err == (
        "ordersaga: there is no delivery 8 (DELIVERY_NOT_FOUND); `ordersaga delivery list` shows those there are\n"
    )
