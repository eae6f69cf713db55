"""One product, and what has moved its stock."""

import asyncio
from collections.abc import Mapping
from typing import Final

from ordersaga.product.v1 import product_pb2

from console_svc.visit import Page, Visit

_PAGE_SIZE: Final = 50
READ: Final = "movements:read"


async def load(visit: Visit) -> Mapping[str, object]:
    """Read the product, and a page of its movements, where the visitor may see whose they are."""
    products, product_id = visit.services.products, visit.number_of("product_id", "a product")
    asked = visit.ask(products, products.stub.GetProduct, product_pb2.GetProductRequest(product_id=product_id))
    product, movements = await asyncio.gather(asked, _movements(visit, product_id))
    return {
        "product": product.product,
        "movements": list(movements.movements),
        "next_page": movements.next_page_token,
        "is_first": not visit.text("page"),
        "may_read": visit.visitor.may(READ),
    }


async def _movements(visit: Visit, product_id: int) -> product_pb2.ListMovementsResponse:
    if not visit.visitor.may(READ):
        return product_pb2.ListMovementsResponse()
    products = visit.services.products
    request = product_pb2.ListMovementsRequest(
        product_id=product_id, page_size=_PAGE_SIZE, page_token=visit.text("page")[:1000]
    )
    return await visit.ask(products, products.stub.ListMovements, request)


PAGE = Page("/products/{product_id}", "Product", "product.html", load, every=1.0)
