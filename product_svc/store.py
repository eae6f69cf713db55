"""The tables ``products``, ``stock_movements`` and ``restocks``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from chassis.errors import Unavailable
from product_svc.stock import Movement, Product, Shelf

_COLUMNS = "product_id, name, price, stock, create_time, update_time"
_MOVEMENT = "order_id, product_id, quantity, price, refusal, undone"
_GET = text(f"SELECT {_COLUMNS} FROM products WHERE product_id = :id")  # noqa: S608 - a constant
_LIST = text(f"""
    SELECT {_COLUMNS} FROM products WHERE product_id > :after ORDER BY product_id LIMIT :limit
""")  # noqa: S608 - a constant
_CREATE = text(f"""
    INSERT INTO products (name, price, stock) VALUES (:name, :price, :stock) RETURNING {_COLUMNS}
""")  # noqa: S608 - a constant
_RESTOCK = text("""
    INSERT INTO restocks (product_id, quantity, request_id) VALUES (:product_id, :quantity, :request_id)
    ON CONFLICT (request_id) DO NOTHING RETURNING restock_id
""")
_RESTOCKED = text("SELECT product_id, quantity FROM restocks WHERE request_id = CAST(:request_id AS uuid)")
_LOCK_PRODUCTS = text("""
    SELECT product_id, price, stock FROM products WHERE product_id = ANY(:ids) ORDER BY product_id FOR NO KEY UPDATE
""")
_LOCK_MOVEMENTS = text(f"""
    SELECT {_MOVEMENT} FROM stock_movements WHERE order_id = ANY(:ids) ORDER BY order_id FOR NO KEY UPDATE
""")  # noqa: S608 - a constant
_ADD_MOVEMENTS = text(f"""
    INSERT INTO stock_movements ({_MOVEMENT})
    SELECT * FROM unnest(CAST(:order_ids AS bigint[]), CAST(:product_ids AS bigint[]), CAST(:quantities AS bigint[]),
                         CAST(:prices AS bigint[]), CAST(:refusals AS text[]), CAST(:undone AS boolean[]))
    ON CONFLICT (order_id) DO NOTHING
""")  # noqa: S608 - a constant
_UNDO = text("UPDATE stock_movements SET undone = true, update_time = now() WHERE order_id = ANY(:ids)")
_CHANGE_STOCK = text("""
    UPDATE products SET stock = stock + change.pieces, update_time = now()
    FROM unnest(CAST(:ids AS bigint[]), CAST(:pieces AS bigint[])) AS change (product_id, pieces)
    WHERE products.product_id = change.product_id
""")


def get(tx: Connection, product_id: int) -> Product | None:
    """Return one product, or None."""
    row = tx.execute(_GET, {"id": product_id}).one_or_none()
    return _product(row) if row else None


def find(tx: Connection, *, after: int, limit: int) -> list[Product]:
    """Return up to ``limit`` products with ids above ``after``, by ascending id."""
    return [_product(row) for row in tx.execute(_LIST, {"after": after, "limit": limit})]


def create(tx: Connection, name: str, price: int, stock: int) -> Product:
    """Add a product; what it has in stock at first is its first restock."""
    product = _product(tx.execute(_CREATE, {"name": name, "price": price, "stock": stock}).one())
    if stock:
        tx.execute(_RESTOCK, {"product_id": product.product_id, "quantity": stock, "request_id": None})
    return product


def restock(tx: Connection, product_id: int, quantity: int, request_id: str | None) -> bool:
    """Add ``quantity`` pieces to a product that is locked; return False where ``request_id`` was used before."""
    row = {"product_id": product_id, "quantity": quantity, "request_id": request_id}
    if tx.execute(_RESTOCK, row).one_or_none() is None:
        return False
    _change_stock(tx, {product_id: quantity})
    return True


def restocked(tx: Connection, request_id: str) -> tuple[int, int]:
    """Return which product got how many pieces by the restock ``request_id``."""
    row = tx.execute(_RESTOCKED, {"request_id": request_id}).one()
    return row.product_id, row.quantity


def lock_shelves(tx: Connection, product_ids: Iterable[int]) -> dict[int, Shelf]:
    """Lock the products ``product_ids``, in key order, and return the prices and stock of those that exist.

    Whoever changes stock locks the products first and movements second.
    """
    rows = tx.execute(_LOCK_PRODUCTS, {"ids": sorted(set(product_ids))})
    return {row.product_id: Shelf(row.price, row.stock) for row in rows}


def lock_movements(tx: Connection, order_ids: Iterable[int]) -> dict[int, Movement]:
    """Lock the movements of ``order_ids``, in key order, and return those that exist."""
    rows = tx.execute(_LOCK_MOVEMENTS, {"ids": sorted(order_ids)})
    return {row.order_id: Movement(**row._asdict()) for row in rows}


def add_movements(tx: Connection, movements: Sequence[Movement]) -> None:
    """Store new movements, and take from the stock what they took.

    Raises:
        Unavailable: another replica stored one meanwhile; nothing may be committed.
    """
    if not movements:
        return
    ordered = sorted(movements, key=lambda movement: movement.order_id)
    stored = tx.execute(
        _ADD_MOVEMENTS,
        {
            "order_ids": [movement.order_id for movement in ordered],
            "product_ids": [movement.product_id for movement in ordered],
            "quantities": [movement.quantity for movement in ordered],
            "prices": [movement.price for movement in ordered],
            "refusals": [movement.refusal for movement in ordered],
            "undone": [movement.undone for movement in ordered],
        },
    ).rowcount
    if stored != len(ordered):
        msg = "another replica stored a movement of the same order meanwhile"
        raise Unavailable(msg)
    _change_stock(tx, _pieces(movements, -1))


def undo_movements(tx: Connection, movements: Sequence[Movement]) -> None:
    """Mark stored movements as undone, and give back to the stock what they held."""
    if movements:
        tx.execute(_UNDO, {"ids": sorted(movement.order_id for movement in movements)})
        _change_stock(tx, _pieces(movements, 1))


def _pieces(movements: Iterable[Movement], sign: int) -> dict[int, int]:
    pieces: Counter[int] = Counter()
    for movement in movements:
        if movement.holds_stock:
            pieces[movement.product_id] += sign * movement.quantity
    return pieces


def _change_stock(tx: Connection, pieces: dict[int, int]) -> None:
    if pieces:
        tx.execute(_CHANGE_STOCK, {"ids": list(pieces), "pieces": list(pieces.values())})


def _product(row: Row[Any]) -> Product:
    return Product(**row._asdict())
