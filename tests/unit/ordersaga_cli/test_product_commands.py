"""``ordersaga product``: what the user sees, and what product_svc is asked."""

import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.product.v1 import product_pb2 as pb

from sagakit.errors import AlreadyExists, NotFound, Unavailable
from tests.unit.ordersaga_cli.line import Typed, at, typed
from tests.unit.ordersaga_cli.services import Services, serving

NOTEBOOK = pb.Product(
    product_id=7,
    name="Notebook",
    price=10_000,
    stock=90,
    create_time=Timestamp(seconds=1_800_000_000),
    update_time=Timestamp(seconds=1_800_000_000),
)
RESTOCK = "product restock 7 --quantity 40"
CREATE = "product create --name Notebook --price 10000 --stock 90"


def ask(line: str, **answers: object) -> tuple[Typed, Services]:
    services = Services(**answers)
    with serving(services) as address:
        return typed(line, at(address)), services


def test_list_shows_a_line_for_each_product() -> None:
    result, services = ask(
        "product list --limit 2", ListProducts=pb.ListProductsResponse(products=[NOTEBOOK, NOTEBOOK])
    )
    assert services.request == pb.ListProductsRequest(page_size=2)
    assert [re.match(r"7 +Notebook +10000 +90", line) is not None for line in result.lines] == [False, True, True]


def test_list_reads_on_until_the_limit_and_says_that_there_are_more() -> None:
    page = pb.ListProductsResponse(products=[NOTEBOOK], next_page_token="more")  # noqa: S106 - no password
    result, services = ask("product list --limit 2", ListProducts=page)
    assert [(one.page_size, one.page_token) for one in services.requests] == [(2, ""), (1, "more")]
    assert result.lines[-1] == "There are more than --limit 2."


def test_list_as_json_has_the_fields_of_the_proto() -> None:
    result, _ = ask("product list --json", ListProducts=pb.ListProductsResponse(products=[NOTEBOOK]))
    assert (result.json["products"][0]["product_id"], result.json["products"][0]["stock"]) == ("7", "90")


def test_show_shows_the_product() -> None:
    result, services = ask("product show 7", GetProduct=pb.GetProductResponse(product=NOTEBOOK))
    facts = dict(line.split(maxsplit=1) for line in result.lines)
    assert (services.request.product_id, facts["name"], facts["stock"]) == (7, "Notebook", "90")


def test_a_product_that_is_not_there_is_answered_with_one_sentence() -> None:
    result, _ = ask("product show 8", GetProduct=NotFound("PRODUCT_NOT_FOUND", "there is no product 8"))
    assert (result.code, result.err) == (
        1,
        "ordersaga: there is no product 8 (PRODUCT_NOT_FOUND); `ordersaga product list` shows those there are\n",
    )


def test_movements_say_what_each_order_and_each_restock_has_changed() -> None:
    movements = [
        pb.Movement(order_id=42, quantity=3, change=-3),
        pb.Movement(order_id=41, quantity=2, undone=True),
        pb.Movement(order_id=40, quantity=9, refusal="OUT_OF_STOCK"),
        pb.Movement(quantity=5, change=5),
    ]
    result, services = ask("product movements 7 --limit 4", ListMovements=pb.ListMovementsResponse(movements=movements))
    assert services.request == pb.ListMovementsRequest(product_id=7, page_size=4)
    assert [line.split()[: 4 if line[0] == "4" else 3] for line in result.lines[1:]] == [
        ["42", "-3", "3", "taken"],
        ["41", "+0", "2", "undone"],
        ["40", "+0", "9", "OUT_OF_STOCK"],
        ["+5", "5", "restocked"],
    ]


def test_restock_adds_what_was_typed_and_says_what_there_is_now() -> None:
    result, services = ask(RESTOCK, RestockProduct=pb.RestockProductResponse(product=NOTEBOOK))
    assert (services.request.product_id, services.request.quantity) == (7, 40)
    assert result.lines == ["product 7  40 added, 90 in stock"]


def test_every_restock_has_a_request_id_of_its_own_unless_one_is_given() -> None:
    answer = pb.RestockProductResponse(product=NOTEBOOK)
    lines = (RESTOCK, RESTOCK, f"{RESTOCK} --request-id r")
    ids = {ask(line, RestockProduct=answer)[1].request.request_id for line in lines}
    assert len(ids) == 3
    assert "r" in ids


def test_a_restock_in_doubt_says_how_to_repeat_it_without_adding_twice() -> None:
    result, services = ask(RESTOCK, RestockProduct=Unavailable("the database cannot be reached; try again"))
    assert result.code == 1
    assert f"(it may have been done: repeat it with --request-id {services.request.request_id}" in result.err


def test_a_restock_of_a_used_request_id_says_what_to_do() -> None:
    used = AlreadyExists("REQUEST_ID_REUSED", "used for other content")
    result, _ = ask(f"{RESTOCK} --request-id r", RestockProduct=used)
    assert result.err.endswith("take another --request-id, or repeat the first request as it was\n")


def test_create_makes_what_was_typed_and_says_how_to_order_it() -> None:
    result, services = ask(CREATE, CreateProduct=pb.CreateProductResponse(product=NOTEBOOK))
    assert services.request == pb.CreateProductRequest(name="Notebook", price=10_000, stock=90)
    assert result.lines == [
        "product 7  Notebook, 90 in stock",
        "Next: `ordersaga order create --user 1 --product 7 --price 10000`",
    ]


def test_a_create_in_doubt_is_not_to_be_repeated_blindly() -> None:
    result, _ = ask(CREATE, CreateProduct=Unavailable("the database cannot be reached; try again"))
    assert "(it may have been done: look for it with `ordersaga product list` first" in result.err


@pytest.mark.parametrize(("line", "undone"), [(RESTOCK, "nothing was added"), (CREATE, "no product was made")])
def test_without_a_connection_nothing_was_done(line: str, undone: str) -> None:
    result = typed(line, at("127.0.0.1:9"))
    assert result.code == 1
    assert result.err.endswith(f"(nothing was sent, so {undone}; it may be repeated)\n")
