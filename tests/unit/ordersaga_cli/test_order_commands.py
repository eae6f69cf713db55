"""``ordersaga order``: what the user sees, and what order_svc is asked."""

import re
import socket
import threading

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.order.v1 import order_pb2 as pb

from ordersaga_cli import calls
from sagakit.errors import AlreadyExists, InvalidArgument, NotFound, Refused, Unavailable, Violation
from tests.support.served import has_ipv6
from tests.unit.ordersaga_cli.line import Typed, at, typed
from tests.unit.ordersaga_cli.services import Services, serving

CREATE = "order create --user 1 --product 2 --quantity 3 --price 400"


def order(status: pb.OrderStatus.ValueType = pb.ORDER_STATUS_PENDING, **changes: object) -> pb.Order:
    given: dict[str, object] = {
        "order_id": 42,
        "user_id": 1,
        "product_id": 2,
        "quantity": 3,
        "price": 400,
        "status": status,
        "create_time": Timestamp(seconds=1_800_000_000),
        "update_time": Timestamp(seconds=1_800_000_001, nanos=250_000_000),
        **changes,
    }
    return pb.Order(**given)  # type: ignore[arg-type] # by name


CANCELLED = order(pb.ORDER_STATUS_CANCELLED, cancel_reason="OUT_OF_STOCK")
COMPLETED = order(pb.ORDER_STATUS_COMPLETED)


def ask(line: str, **answers: object) -> tuple[Typed, Services]:
    services = Services(**answers)
    with serving(services) as address:
        return typed(line, at(address)), services


def test_create_places_what_was_typed_and_says_what_comes_next() -> None:
    result, services = ask(f'{CREATE} --address "Main Street 1"', CreateOrder=pb.CreateOrderResponse(order=order()))
    asked = services.request
    assert (asked.user_id, asked.product_id, asked.quantity, asked.price) == (1, 2, 3, 400)
    assert asked.address == "Main Street 1"
    assert (result.code, result.lines) == (0, ["order 42  PENDING", "Next: `ordersaga order watch 42`"])


def test_every_create_has_a_request_id_of_its_own_unless_one_is_given() -> None:
    answer = pb.CreateOrderResponse(order=order())
    ids = {ask(line, CreateOrder=answer)[1].request.request_id for line in (CREATE, CREATE, f"{CREATE} --request-id r")}
    assert len(ids) == 3
    assert "r" in ids


@pytest.mark.parametrize(("last", "code"), [(COMPLETED, 0), (CANCELLED, 1)], ids=["completed", "cancelled"])
def test_create_can_wait_for_the_end_and_its_exit_code_shows_it(last: pb.Order, code: int) -> None:
    updates = [pb.WatchOrderResponse(order=one) for one in (order(), last)]
    result, _ = ask(f"{CREATE} --watch", CreateOrder=pb.CreateOrderResponse(order=order()), WatchOrder=updates)
    assert result.code == code
    assert result.lines[0] == "2027-01-15 08:00:01.250  order 42  PENDING"
    assert len(result.lines) == 2


def test_a_create_in_doubt_says_how_to_repeat_it_without_ordering_twice() -> None:
    result, services = ask(CREATE, CreateOrder=Unavailable("the database cannot be reached; try again"))
    assert result.code == 1
    assert f"repeat it with --request-id {services.request.request_id}" in result.err


def test_a_create_without_a_connection_was_surely_not_placed() -> None:
    result = typed(CREATE, at("127.0.0.1:9"))
    assert result.code == 1
    assert "order_svc cannot be reached at 127.0.0.1:9;" in result.err
    assert result.err.endswith(" (nothing was sent, so no order was placed; it may be repeated)\n")


def test_a_create_that_meets_what_only_sounds_like_no_connection_is_in_doubt() -> None:
    result, _ = ask(CREATE, CreateOrder=Unavailable("failed to connect to the database"))
    assert "it may have been done" in result.err


def test_a_create_whose_connection_ends_is_in_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        result = typed(CREATE, at(f"127.0.0.1:{server.getsockname()[1]}"))
    assert "it may have been done" in result.err


def test_a_call_whose_connection_ends_does_not_say_that_the_service_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server, b"CancelOrder"), daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        result = typed("order cancel 42", at(address))
    assert result.code == 1
    assert result.err.startswith(f"ordersaga: order_svc at {address} ended the connection before it had answered; ")
    assert "(it may have been done: repeat it" in result.err


def hang_up(server: socket.socket, method: bytes = b"CreateOrder") -> None:
    """Speak HTTP/2 until the call has come, then end the connection."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # empty SETTINGS
        received = b""
        while method not in received:
            received += connection.recv(65_536)


def test_a_create_that_is_refused_was_surely_not_placed() -> None:
    result, _ = ask(
        f"{CREATE} --request-id r", CreateOrder=AlreadyExists("REQUEST_ID_REUSED", "used for other content")
    )
    assert result.code == 1
    assert result.err == (
        "ordersaga: used for other content (REQUEST_ID_REUSED);"
        " take another --request-id, or repeat the first request as it was\n"
    )


def test_a_field_that_breaks_a_rule_is_named() -> None:
    refused = InvalidArgument(Violation("quantity", "must be at most 1000000"))
    result, _ = ask(CREATE, CreateOrder=refused)
    assert result.err == "ordersaga: quantity: must be at most 1000000 (INVALID_ARGUMENT)\n"


def test_watch_ends_when_the_order_is_final() -> None:
    updates = [pb.WatchOrderResponse(order=one) for one in (order(), CANCELLED)]
    result, services = ask("order watch 42 --json", WatchOrder=updates)
    assert [one["order"]["status"] for one in result.jsons] == ["ORDER_STATUS_PENDING", "ORDER_STATUS_CANCELLED"]
    assert (result.code, services.request.order_id) == (0, 42)


def streams(*parts: list[object]) -> list[list[object]]:
    """Return what a watch gets, stream by stream: orders, and the error that ends one."""
    return [[pb.WatchOrderResponse(order=one) if isinstance(one, pb.Order) else one for one in part] for part in parts]


def told(result: Typed) -> list[str]:
    """Return what a watch has said of the order, without times and without what the service in this process logs."""
    return [line.partition("  ")[2] for line in result.lines if "  order 42  " in line]


GONE = Unavailable("shutting down")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a service that has gone away again at once, and not for long."""
    monkeypatch.setattr(calls, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(calls, "_AWAY_SECONDS", 1.0)


@pytest.mark.usefixtures("impatient")
def test_watch_goes_on_after_a_restart_and_says_what_is_known_once() -> None:
    parts = streams([order(), GONE], [GONE], [order(), COMPLETED])
    result, services = ask("order watch 42", WatchOrder=parts)
    assert told(result) == ["order 42  PENDING", "order 42  COMPLETED"]
    assert (result.code, len(services.requests)) == (0, 3)
    assert result.err == "order_svc has gone away: asking it again for 1 s\n"


@pytest.mark.usefixtures("impatient")
def test_watch_gives_a_service_up_that_does_not_come_back() -> None:
    result, services = ask("order watch 42", WatchOrder=streams([order(), GONE], [GONE]))
    assert (result.code, told(result)) == (1, ["order 42  PENDING"])
    assert result.err.endswith("ordersaga: shutting down (UNAVAILABLE); try again in a moment\n")
    assert len(services.requests) > 2


@pytest.mark.usefixtures("impatient")
def test_watch_does_not_wait_for_a_service_that_was_away_from_the_first() -> None:
    result, services = ask("order watch 42", WatchOrder=streams([GONE], [COMPLETED]))
    assert (result.code, len(services.requests)) == (1, 1)


def test_get_shows_the_order() -> None:
    result, _ = ask("order get 42", GetOrder=pb.GetOrderResponse(order=CANCELLED))
    facts = dict(line.split(maxsplit=1) for line in result.lines)
    assert (facts["order_id"], facts["status"], facts["cancel_reason"]) == ("42", "CANCELLED", "OUT_OF_STOCK")


def test_an_order_that_is_not_there_is_answered_with_one_sentence() -> None:
    result, _ = ask("order get 7", GetOrder=NotFound("ORDER_NOT_FOUND", "there is no order 7"))
    assert result.code == 1
    assert result.err == (
        "ordersaga: there is no order 7 (ORDER_NOT_FOUND); `ordersaga order list` shows those there are\n"
    )


def test_cancel_says_who_and_why_and_where_the_outcome_is_seen() -> None:
    line = 'order cancel 42 --reason "by mistake" --actor ann'
    result, services = ask(line, CancelOrder=pb.CancelOrderResponse(order=order()))
    assert services.request == pb.CancelOrderRequest(order_id=42, actor="ann", reason="by mistake")
    assert result.lines == ["order 42  PENDING, its cancel is requested", "Next: `ordersaga order watch 42`"]


def test_a_cancel_of_a_final_order_is_refused() -> None:
    result, _ = ask("order cancel 42", CancelOrder=Refused("ORDER_FINAL", "order 42 is COMPLETED"))
    assert (result.code, result.err) == (1, "ordersaga: order 42 is COMPLETED (ORDER_FINAL)\n")


def test_list_shows_a_line_for_each_order() -> None:
    answer = pb.ListOrdersResponse(orders=[order(), CANCELLED], next_page_token="more")  # noqa: S106 - no password
    result, services = ask("order list --user 1 --status cancelled --limit 2", ListOrders=answer)
    assert services.request == pb.ListOrdersRequest(page_size=2, user_id=1, status=pb.ORDER_STATUS_CANCELLED)
    assert re.match(r"42 +1 +2 +3 +400 +CANCELLED +OUT_OF_STOCK", result.lines[2])
    assert (result.lines[-1], result.err) == ("There are more than --limit 2.", "")


def test_what_could_move_the_terminal_is_shown_and_not_done() -> None:
    result, _ = ask("order get 42", GetOrder=pb.GetOrderResponse(order=order(address="\x1b[2J\nboo")))
    assert "\\x1b[2J\\nboo" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", *(["[::1]"] if has_ipv6() else [])])
def test_a_service_is_reached_by_a_name_and_by_addresses_of_both_families(host: str) -> None:
    with serving(Services(GetOrder=pb.GetOrderResponse(order=COMPLETED)), host) as address:
        for result in (typed("order get 42", at(address)), typed(f"order get 42 --order-svc-address {address}")):
            assert result.code == 0, result.err
            assert "COMPLETED" in result.out
