"""Products: the catalogue with its stock; a product is added, and pieces come in."""

import uuid
from collections.abc import Mapping
from typing import Final

from ordersaga.product.v1 import product_pb2

from console_svc.acting import Action, Done, Form
from console_svc.visit import Page, Visit
from console_svc.words import plural

WRITE: Final = "products:write"
_PAGE_SIZE: Final = 100


async def load(visit: Visit) -> Mapping[str, object]:
    """Read one page of the catalogue."""
    products = visit.services.products
    request = product_pb2.ListProductsRequest(page_size=_PAGE_SIZE, page_token=visit.text("page")[:1000])
    answer = await visit.ask(products, products.stub.ListProducts, request)
    return {
        "products": list(answer.products),
        "next_page": answer.next_page_token,
        "is_first": not visit.text("page"),
        "restock": visit.number("restock") or "",
        "request_id": str(uuid.uuid4()),
        "may_write": visit.visitor.may(WRITE),
    }


async def create(visit: Visit, form: Form) -> Done:
    """Add a product."""
    products = visit.services.products
    request = product_pb2.CreateProductRequest(
        name=form.text("name"),
        price=form.number("price", "The price"),
        stock=form.number("stock", "The stock"),
    )
    product = (await visit.ask(products, products.stub.CreateProduct, request)).product
    return Done(f"Product {product.product_id}, {product.name}, is added.", f"/products#product-{product.product_id}")


async def restock(visit: Visit, form: Form) -> Done:
    """Add pieces to a product's stock, once for each form that was shown."""
    products = visit.services.products
    request = product_pb2.RestockProductRequest(
        product_id=form.number("product", "The product"),
        quantity=form.number("quantity", "The quantity"),
        request_id=form.text("request_id"),
    )
    product = (await visit.ask(products, products.stub.RestockProduct, request)).product
    text = f"{product.name} has {plural(product.stock, 'piece')} now."
    return Done(text, f"/products#product-{product.product_id}")


PAGE = Page("/products", "Products", "products.html", load, every=1.0)
ACTIONS = (
    Action("/products", "/products", WRITE, create),
    Action("/products/restock", "/products", WRITE, restock),
)
