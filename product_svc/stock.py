"""What a product is, and the rules of taking stock for orders and giving it back."""

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
    """What decides whether an order gets its pieces: a product's price and stock."""

    price: int
    stock: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pieces an order wants."""

    order_id: int
    product_id: int
    quantity: int
    price: int | None
    """Unit price the customer saw; None where only an undo has told of the order."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What became of one order's pieces. There is one for each order ever heard of, and stock changes only with one."""

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
        """The refusal that a decrease is answered with, None for success; the same however often it is asked."""
        return self.refusal or (UNDONE if self.undone else None)

    def is_for(self, wanted: Wanted) -> bool:
        """Say whether this movement is about ``wanted``, or about something else under the same order id."""
        same_price = self.price is None or wanted.price is None or self.price == wanted.price
        return (self.product_id, self.quantity) == (wanted.product_id, wanted.quantity) and same_price


def allocate(wanted: Sequence[Wanted], shelves: Mapping[int, Shelf]) -> list[Movement]:
    """Give each order its pieces, the first come first, as long as there are enough; refuse the others.

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
    """Return the movement of an order that was undone before it was ever done: its decrease, come late, is refused."""
    return Movement(wanted.order_id, wanted.product_id, wanted.quantity, None, UNDONE, undone=True)
