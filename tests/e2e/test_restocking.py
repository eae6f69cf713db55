"""Restocking: a repeated request adds its pieces once."""

import uuid

import grpc
from ordersaga.product.v1 import product_pb2

from tests.support.rpc import refusal
from tests.support.shop import COMPLETED, Shop


def restock(shop: Shop, product_id: int, quantity: int, request_id: str = "") -> int:
    request = product_pb2.RestockProductRequest(product_id=product_id, quantity=quantity, request_id=request_id)
    return shop.products.RestockProduct(request, timeout=10).product.stock


def test_what_comes_in_can_be_sold(shop: Shop) -> None:
    product = shop.product(stock=0)
    assert restock(shop, product, 3) == 3
    assert shop.final(shop.place(product, quantity=3)).status == COMPLETED
    assert shop.stock(product) == 0


def test_a_repeated_restock_counts_once(shop: Shop) -> None:
    product, request_id = shop.product(stock=1), str(uuid.uuid4())
    assert [restock(shop, product, 5, request_id) for _ in range(3)] == [6, 6, 6]


def test_a_restock_id_used_again_for_other_content_is_refused(shop: Shop) -> None:
    product, request_id = shop.product(stock=1), str(uuid.uuid4())
    restock(shop, product, 5, request_id)
    refused = refusal(lambda: restock(shop, product, 6, request_id))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert shop.stock(product) == 6


def test_a_product_that_does_not_exist_cannot_be_restocked(shop: Shop) -> None:
    assert refusal(lambda: restock(shop, 999_999_999, 1)).code is grpc.StatusCode.NOT_FOUND
