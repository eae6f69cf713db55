"""Orders: found by id, user and status, and one placed to see how it goes."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from console_svc.acting import Action, Done, Form
from console_svc.failures import CallFailed, attempt, senseless
from console_svc.visit import Page, Visit

STATUSES: Final = ("PENDING", "COMPLETED", "CANCELLED")
WRITE: Final = "orders:write"
_PAGE_SIZE: Final = 50
_PRODUCTS: Final = 100


async def load(visit: Visit) -> Mapping[str, object]:
    """Read one page of the orders that the address asks for, and the products that can be ordered."""
    status = _status(visit)
    user, order_id = visit.number("user"), visit.number("id")
    if order_id is not None:  # an id says all
        status, user = "", None
    products = visit.services.products
    shelf = visit.ask(products, products.stub.ListProducts, product_pb2.ListProductsRequest(page_size=_PRODUCTS))
    (orders, token), shown = await asyncio.gather(_orders(visit, status, user, order_id), attempt(shelf))
    given = {name: value for name, value in (("status", status), ("user", user), ("id", order_id)) if value}
    return {
        "orders": orders,
        "statuses": STATUSES,
        "status": status,
        "user": user or "",
        "id": order_id or "",
        "given": given,
        "next_page": f"/orders?{urlencode({**given, 'page': token})}" if token else "",
        "is_first": not visit.text("page"),
        "first_page": f"/orders?{urlencode(given)}",
        "products": [] if isinstance(shown, CallFailed) else list(shown.products),
        "products_trouble": shown.sentence if isinstance(shown, CallFailed) else "",
        "request_id": str(uuid.uuid4()),
    }


def _status(visit: Visit) -> str:
    status = visit.text("status")
    if status and status not in STATUSES:
        raise senseless(f"It is one of {', '.join(STATUSES)}", "status", status)
    return status


async def _orders(
    visit: Visit, status: str, user: int | None, order_id: int | None
) -> tuple[list[order_pb2.Order], str]:
    """Return the orders of one page, and the next page's token."""
    orders = visit.services.orders
    if order_id is not None:
        try:
            one = await visit.ask(orders, orders.stub.GetOrder, order_pb2.GetOrderRequest(order_id=order_id))
        except CallFailed as error:
            if error.is_absent:
                return [], ""
            raise
        return [one.order], ""
    request = order_pb2.ListOrdersRequest(
        page_size=_PAGE_SIZE,
        page_token=visit.text("page")[:1000],
        user_id=user or 0,
        status=order_pb2.OrderStatus.Value(f"ORDER_STATUS_{status or 'UNSPECIFIED'}"),
    )
    answer = await visit.ask(orders, orders.stub.ListOrders, request)
    return list(answer.orders), answer.next_page_token


async def place(visit: Visit, form: Form) -> Done:
    """Place an order at the product's price of now, and go to its saga."""
    product_id = form.number("product", "The product")
    user, quantity = form.number("user", "The user"), form.number("quantity", "The quantity")
    products, orders = visit.services.products, visit.services.orders
    product = await visit.ask(products, products.stub.GetProduct, product_pb2.GetProductRequest(product_id=product_id))
    request = order_pb2.CreateOrderRequest(
        user_id=user,
        product_id=product_id,
        quantity=quantity,
        price=product.product.price,
        address=form.text("address"),
        request_id=form.text("request_id"),
    )
    order = (await visit.ask(orders, orders.stub.CreateOrder, request)).order
    return Done(f"Order {order.order_id} is placed. This is its saga.", f"/sagas/{order.order_id}")


PAGE = Page("/orders", "Orders", "orders.html", load, every=2.0)
ACTIONS = (Action("/orders", "/orders", WRITE, place),)
