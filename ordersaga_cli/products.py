"""``ordersaga product``: list and show products and what moved their stock, add to it, make new ones."""

import uuid

import click
from ordersaga.product.v1 import product_pb2 as pb
from ordersaga.product.v1.product_pb2_grpc import ProductServiceStub

from ordersaga_cli import show
from ordersaga_cli.calls import CALL_SECONDS, product_service, saying_what_became
from ordersaga_cli.line import ID, LIMIT, PIECES, PRICE, STOCK, Group, json_option
from ordersaga_cli.places import PRODUCT_SVC, service_option
from ordersaga_cli.table import Column, print_table

_PAGE = 500


@click.group(cls=Group)
def product() -> None:
    """Products: list, show, movements, restock, create."""


@product.command(
    "list",
    examples=["ordersaga product list", "ordersaga product list --limit 10 --json"],
    then="`ordersaga product show ID` shows one; `ordersaga order create` orders it.",
)
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most this many.")
@json_option
@service_option(PRODUCT_SVC)
def list_(*, limit: int, as_json: bool, product_svc: str) -> None:
    """List products, by ascending id."""
    with product_service(product_svc) as products:
        found = _list(products, limit)
    if as_json:
        show.document(found)
        return
    print_table(
        ("product", Column("name", folds=True), "price", "stock", Column("changed", 1)),
        (
            (one.product_id, one.name, one.price, one.stock, f"{show.span(show.since(one.update_time))} ago")
            for one in found.products
        ),
    )
    if found.next_page_token:
        show.say(f"There are more than --limit {limit}.")


@product.command(
    "show",
    examples=["ordersaga product show 1", "ordersaga product show 1 --json"],
    then="`ordersaga product movements ID` shows what moved its stock; `ordersaga product restock ID` adds to it.",
)
@click.argument("product_id", type=ID, metavar="ID")
@json_option
@service_option(PRODUCT_SVC)
def show_(*, product_id: int, as_json: bool, product_svc: str) -> None:
    """Show one product, with its price and what is left of it."""
    with product_service(product_svc) as products:
        found = products.GetProduct(pb.GetProductRequest(product_id=product_id), timeout=CALL_SECONDS)
    if as_json:
        show.document(found)
    else:
        show.facts(found.product)


@product.command(
    examples=["ordersaga product movements 1", "ordersaga product movements 1 --limit 10 --json"],
    then="`ordersaga saga show ORDER` shows how an order's came about.",
)
@click.argument("product_id", type=ID, metavar="ID")
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most this many.")
@json_option
@service_option(PRODUCT_SVC)
def movements(*, product_id: int, limit: int, as_json: bool, product_svc: str) -> None:
    """List what has changed a product's stock, or was refused to, the newest first."""
    with product_service(product_svc) as products:
        found = _movements(products, product_id, limit)
    if as_json:
        show.document(found)
        return
    print_table(
        ("order", "change", "quantity", "what", Column("when", 1)),
        (
            (
                one.order_id or "",
                f"{one.change:+}",
                one.quantity,
                _what(one),
                f"{show.span(show.since(one.create_time))} ago",
            )
            for one in found.movements
        ),
    )
    if found.next_page_token:
        show.say(f"There are more than --limit {limit}.")


def _what(movement: pb.Movement) -> str:
    if not movement.order_id:
        return "restocked"
    return "undone" if movement.undone else movement.refusal or "taken"


@product.command(
    examples=["ordersaga product restock 1 --quantity 100", "ordersaga product restock 1 --quantity 100 --json"],
    then="`ordersaga product show ID` shows the stock; orders that were refused stay so.",
)
@click.argument("product_id", type=ID, metavar="ID")
@click.option("--quantity", type=PIECES, required=True, help="How many pieces came in.")
@click.option("--request-id", default=lambda: str(uuid.uuid4()), help="A UUID; repeated, it never adds twice.")
@json_option
@service_option(PRODUCT_SVC)
def restock(*, product_id: int, quantity: int, request_id: str, as_json: bool, product_svc: str) -> None:
    """Add pieces to a product's stock."""
    request = pb.RestockProductRequest(product_id=product_id, quantity=quantity, request_id=request_id)
    repeat = f"repeat it with --request-id {request_id}, which never adds twice"
    with saying_what_became("nothing was added", repeat), product_service(product_svc) as products:
        answer = products.RestockProduct(request, timeout=CALL_SECONDS)
    if as_json:
        show.document(answer)
    else:
        show.say(f"product {product_id}  {quantity} added, {answer.product.stock} in stock")


@product.command(
    examples=["ordersaga product create --name Notebook --price 10000 --stock 100"],
    then="`ordersaga order create --product ID --price PRICE` orders it.",
)
@click.option("--name", required=True, help="What it is called, at most 200 characters.")
@click.option("--price", type=PRICE, required=True, help="The unit price in the minor unit (cents).")
@click.option("--stock", type=STOCK, default=0, show_default=True, help="Pieces in stock at first.")
@json_option
@service_option(PRODUCT_SVC)
def create(*, name: str, price: int, stock: int, as_json: bool, product_svc: str) -> None:
    """Add a product to the catalogue."""
    request = pb.CreateProductRequest(name=name, price=price, stock=stock)
    look = "look for it with `ordersaga product list` first: repeated, it may be there twice"
    with saying_what_became("no product was made", look), product_service(product_svc) as products:
        answer = products.CreateProduct(request, timeout=CALL_SECONDS)
    if as_json:
        show.document(answer)
        return
    product_id = answer.product.product_id
    show.say(f"product {product_id}  {answer.product.name}, {answer.product.stock} in stock")
    show.say(f"Next: `ordersaga order create --user 1 --product {product_id} --price {answer.product.price}`")


def _list(products: ProductServiceStub, limit: int) -> pb.ListProductsResponse:
    """Read page by page until ``limit`` is reached."""
    found = pb.ListProductsResponse()
    while True:
        size = min(_PAGE, limit - len(found.products))
        request = pb.ListProductsRequest(page_size=size, page_token=found.next_page_token)
        page = products.ListProducts(request, timeout=CALL_SECONDS)
        found.products.extend(page.products)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.products) >= limit:
            return found


def _movements(products: ProductServiceStub, product_id: int, limit: int) -> pb.ListMovementsResponse:
    """Do as `_list` does, with the movements of one product."""
    found = pb.ListMovementsResponse()
    while True:
        size = min(_PAGE, limit - len(found.movements))
        request = pb.ListMovementsRequest(product_id=product_id, page_size=size, page_token=found.next_page_token)
        page = products.ListMovements(request, timeout=CALL_SECONDS)
        found.movements.extend(page.movements)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.movements) >= limit:
            return found
