"""Products, and the rules of taking stock for orders and giving it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

OUT_OF_STOCK = "OUT_OF_STOCK"
UNKNOWN_PRODUCT = "UNKNOWN_PRODUCT"
PRICE_CHANGED = "PRICE_CHANGED"
UNDONE = "UNDONE"
"""Refusal of a decrease that was undone before."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it is stored."""

    product_id: int
    name: str
    price: int
    """Unit price in the currency's minor unit."""
    stock: int
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Shelf:
    """A product's price and stock, which decide whether an order gets its pieces."""

    price: int
    stock: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pieces an order wants."""

    order_id: int
    product_id: int
    quantity: int
    price: int | None
    """Unit price that the customer saw; None in an undo, which does not have it."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How one order moved the stock. Every known order has one, and an order changes the stock only with it."""

    order_id: int
    product_id: int
    quantity: int
    price: int | None
    refusal: str | None
    """Why the pieces were not taken; None where they were."""
    undone: bool

    @property
    def holds_stock(self) -> bool:
        """Whether the order has its pieces now."""
        return self.refusal is None and not self.undone

    @property
    def answer(self) -> str | None:
        """The refusal with which a decrease is answered, None for success; the same each time."""
        return self.refusal or (UNDONE if self.undone else None)

    def is_for(self, wanted: Wanted) -> bool:
        """Say whether this movement is about ``wanted``, or about something else under the same order id."""
        same_price = self.price is None or wanted.price is None or self.price == wanted.price
        return (self.product_id, self.quantity) == (wanted.product_id, wanted.quantity) and same_price


def allocate(wanted: Sequence[Wanted], shelves: Mapping[int, Shelf]) -> list[Movement]:
    """Give each order its pieces, in their order, as long as there are enough; refuse the others.

    ``shelves`` holds the products' prices and stock by product id; it is not changed.
    """
    left = {product_id: shelf.stock for product_id, shelf in shelves.items()}
    movements = []
    for one in wanted:
        refusal = _refusal(one, shelves.get(one.product_id), left.get(one.product_id, 0))
        if refusal is None:
            left[one.product_id] -= one.quantity
        movements.append(Movement(one.order_id, one.product_id, one.quantity, one.price, refusal, undone=False))
    return movements


def _refusal(wanted: Wanted, shelf: Shelf | None, left: int) -> str | None:
    if shelf is None:
        return UNKNOWN_PRODUCT
    if wanted.price != shelf.price:
        return PRICE_CHANGED
    return OUT_OF_STOCK if wanted.quantity > left else None


def tombstone(wanted: Wanted) -> Movement:
    """Return the movement of an order whose undo came before its decrease: a later decrease is then refused."""
    return Movement(wanted.order_id, wanted.product_id, wanted.quantity, None, UNDONE, undone=True)
