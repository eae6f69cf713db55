"""A closed stack does what an open one does: orders come to their ends, and the command line finds its way in."""

import json
import stat

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga_client import token_in_file

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support import trust
from tests.support.line import Typed, typed
from tests.support.logins import client_of, write
from tests.support.rpc import code_of, refusal
from tests.support.shop import CANCELLED, COMPLETED, Shop
from tests.support.wait import eventually


@pytest.fixture
def closed_shop(closed_stack: Stack) -> Shop:
    return Shop(closed_stack)


def test_an_order_is_completed(closed_shop: Shop) -> None:
    product = closed_shop.product(stock=3)
    assert closed_shop.final(closed_shop.place(product)).status == COMPLETED
    assert closed_shop.stock(product) == 2


def test_an_order_that_is_refused_is_undone_and_cancelled(closed_shop: Shop) -> None:
    product = closed_shop.product(stock=3)
    order = closed_shop.final(closed_shop.place(product, address="PO Box 42"))
    assert (order.status, order.cancel_reason) == (CANCELLED, "UNDELIVERABLE_ADDRESS")
    assert closed_shop.stock(product) == 3


def test_a_service_does_not_answer_without_tls(closed_stack: Stack) -> None:
    request = order_pb2.GetOrderRequest(order_id=1)
    for name in NAMES:
        with grpc.insecure_channel(closed_stack.service(name).grpc) as channel:
            orders = order_pb2_grpc.OrderServiceStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                orders.GetOrder(request, timeout=5)
        assert code_of(refused.value) is grpc.StatusCode.UNAVAILABLE


def test_a_service_does_not_answer_without_a_token(closed_stack: Stack) -> None:
    with trust.channel(closed_stack.service("order_svc").grpc) as channel:
        orders = order_pb2_grpc.OrderServiceStub(channel)
        refused = refusal(lambda: orders.GetOrder(order_pb2.GetOrderRequest(order_id=1), timeout=5))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


def test_the_user_s_token_places_the_user_s_orders_and_restocks_nothing(closed_stack: Stack) -> None:
    file = closed_stack.security.ca.with_name("user.token")
    with Shop(closed_stack, token_in_file(str(file))) as user, Shop(closed_stack) as operator:
        product = operator.product()
        assert user.final(user.place(product)).status == COMPLETED
        for_another = refusal(lambda: user.place(product, user_id=2))
        restock = refusal(user.product)
    assert (for_another.code, for_another.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_USER")
    assert (restock.code, restock.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


def test_no_password_stands_in_a_log(closed_stack: Stack) -> None:
    security = closed_stack.security
    secrets = {security.password(login) for login in (*NAMES, "registry", "deployer", "operators", "replay")}
    for part in closed_stack.parts:
        text = part.log.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], part.name


@pytest.mark.parametrize("kept", ["security", "kafka", "registry", "logs"])
def test_another_user_of_the_machine_reads_nothing_that_is_kept(closed_stack: Stack, kept: str) -> None:
    assert stat.S_IMODE((closed_stack.folder / kept).stat().st_mode) == 0o700


def line(stack: Stack, *arguments: object) -> Typed:
    """Type a line to the stack that runs in its folder; nothing but the folder is known."""
    return typed(arguments, {"DEVSTACK_DATA": str(stack.folder)})


def test_the_command_line_takes_its_logins_from_the_running_stack(closed_stack: Stack, closed_shop: Shop) -> None:
    order_id = closed_shop.final(closed_shop.place(closed_shop.product())).order_id
    assert line(closed_stack, "order", "get", order_id, "--json").json["order"]["status"] == "ORDER_STATUS_COMPLETED"
    groups = {
        one["group"] for topic in line(closed_stack, "topics", "--json").json["topics"] for one in topic["groups"]
    }
    assert groups == set(NAMES)
    schemas = line(closed_stack, "schemas", "check", "schemas", "--json").json["schemas"]
    assert {one["state"] for one in schemas} == {"registered"}


def test_the_command_line_registers_no_schema_as_an_operator(closed_stack: Stack) -> None:
    refused = line(closed_stack, "schemas", "register", "schemas")
    assert refused.code == 1
    assert "not authorized" in refused.err


def test_a_dead_letter_is_replayed_by_the_login_for_that(closed_stack: Stack) -> None:
    assert write(client_of(closed_stack, "replay"), "decrease-product-command", b"no message") is None

    def letters() -> list[str]:
        found = json.loads(line(closed_stack, "dlq", "list", "product_svc", "--json").out)["letters"]
        return [letter["key"] for letter in found]

    def parked() -> None:
        assert len(letters()) == 1

    eventually(parked)
    again = line(closed_stack, "dlq", "replay", "product_svc", *letters(), "--json")
    (result,) = again.json["results"]
    assert result["state"] == "parked"  # it is as bad as before
    dropped = line(closed_stack, "dlq", "drop", "product_svc", *letters(), "--json")
    assert [one["state"] for one in dropped.json["results"]] == ["dropped"]
    assert letters() == []
