"""The tables ``products``, ``stock_movements`` and ``restocks``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from product_svc.stock import Movement, Product, Shelf, Wanted
from product_svc.tables import products, stock_movements
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.postgres.sql import array, columns, columns_of, insert_rows, lock_those, text_of

_PRODUCT = columns_of(products, Product)
_MOVEMENT = columns_of(stock_movements, Movement)
_GET = text_of(select(*_PRODUCT).where(products.c.product_id == bindparam("id")))
_LIST = text_of(
    select(*_PRODUCT)
    .where(products.c.product_id > bindparam("after"))
    .order_by(products.c.product_id)
    .limit(bindparam("limit"))
)
_CREATE = text_of(
    insert(products)
    .values(name=bindparam("name"), price=bindparam("price"), stock=bindparam("stock"))
    .returning(*_PRODUCT)
)
_RESTOCK = """
    INSERT INTO restocks (product_id, quantity, request_id, create_time)
    SELECT product_id, %(quantity)s::bigint, %(request_id)s::uuid, greatest(update_time, now())
    FROM products WHERE product_id = %(product_id)s::bigint
    ON CONFLICT (request_id) DO NOTHING RETURNING restock_id
"""
_RESTOCKED = "SELECT product_id, quantity FROM restocks WHERE request_id = %(request_id)s::uuid"
_LOCK_PRODUCTS = text_of(lock_those([products.c.product_id, *columns_of(products, Shelf)], products.c.product_id))
_LOCK_MOVEMENTS = text_of(lock_those(_MOVEMENT, stock_movements.c.order_id))
# Where two batches want the same product at once, the second waits at the locks for the first one's commit.
_TAKE = """
    WITH wanted AS (
        SELECT * FROM unnest(%(order_id)s::bigint[], %(product_id)s::bigint[], %(quantity)s::bigint[],
                             %(price)s::bigint[]) AS one (order_id, product_id, quantity, price)
    ), shelf AS MATERIALIZED (
        SELECT product_id, price, stock FROM products WHERE product_id = ANY(%(ids)s::bigint[])
        ORDER BY product_id FOR NO KEY UPDATE
    ), plenty AS (
        SELECT product_id FROM wanted JOIN shelf USING (product_id) GROUP BY product_id
        HAVING sum(quantity) <= min(stock) AND bool_and(wanted.price = shelf.price)
    ), stored AS (
        INSERT INTO stock_movements (order_id, product_id, quantity, price, undone)
        SELECT order_id, product_id, quantity, price, false FROM wanted
        WHERE product_id IN (SELECT product_id FROM plenty) ORDER BY order_id
        ON CONFLICT (order_id) DO NOTHING RETURNING order_id, product_id, quantity
    ), taken AS (
        UPDATE products SET stock = stock - gone.pieces, update_time = greatest(update_time, now())
        FROM (SELECT product_id, sum(quantity) AS pieces FROM stored GROUP BY product_id) AS gone
        WHERE products.product_id = gone.product_id
    )
    SELECT order_id FROM stored
"""
_ADD_MOVEMENTS = text_of(insert_rows(stock_movements, _MOVEMENT))
_UNDO = """
    UPDATE stock_movements SET undone = true, update_time = greatest(update_time, now())
    WHERE order_id = ANY(%(ids)s::bigint[])
"""
_CHANGE_STOCK = """
    UPDATE products SET stock = stock + change.pieces, update_time = greatest(update_time, now())
    FROM unnest(%(ids)s::bigint[], %(pieces)s::bigint[]) AS change (product_id, pieces)
    WHERE products.product_id = change.product_id
"""


def get(tx: Transaction, product_id: int) -> Product | None:
    """Return one product, or None."""
    row = tx.execute(_GET, {"id": product_id}).fetchone()
    return _product(row) if row else None


def find(tx: Transaction, *, after: int, limit: int) -> list[Product]:
    """Return up to ``limit`` products with ids above ``after``, by ascending id."""
    return [_product(row) for row in tx.execute(_LIST, {"after": after, "limit": limit})]


def create(tx: Transaction, name: str, price: int, stock: int) -> Product:
    """Add a product; what it has in stock at first is its first restock."""
    product = _product(tx.execute(_CREATE, {"name": name, "price": price, "stock": stock}).fetchone())
    if stock:
        tx.execute(_RESTOCK, {"product_id": product.product_id, "quantity": stock, "request_id": None})
    return product


def restock(tx: Transaction, product_id: int, quantity: int, request_id: str | None) -> bool:
    """Add ``quantity`` pieces to a product that is locked; return False where ``request_id`` was used before."""
    row = {"product_id": product_id, "quantity": quantity, "request_id": request_id}
    if tx.execute(_RESTOCK, row).fetchone() is None:
        return False
    _change_stock(tx, {product_id: quantity})
    return True


def restocked(tx: Transaction, request_id: str) -> tuple[int, int]:
    """Return which product got how many pieces by the restock ``request_id``."""
    row: Row = tx.execute(_RESTOCKED, {"request_id": request_id}).fetchone()
    return row.product_id, row.quantity


def lock_shelves(tx: Transaction, product_ids: Iterable[int]) -> dict[int, Shelf]:
    """Lock the products ``product_ids``, in key order, and return the prices and stock of those that exist."""
    return _shelves(_lock_products(tx, product_ids))


def lock(
    tx: Transaction, product_ids: Iterable[int], order_ids: Iterable[int]
) -> tuple[dict[int, Shelf], dict[int, Movement]]:
    """Lock products, then the movements of orders, each in key order; return those that exist, in one round trip.

    Whoever changes stock locks the products first and movements second.
    """
    shelves = _lock_products(tx, product_ids)
    movements = tx.execute(_LOCK_MOVEMENTS, {"ids": array(sorted(order_ids))})
    return _shelves(shelves), {row.order_id: Movement(*row) for row in movements}


def take(tx: Transaction, wanted: Sequence[Wanted]) -> Deferred[set[int]]:
    """Take what orders never heard of want, where there is plenty; the ids of these orders come with the commit.

    There is plenty of a product where all of ``wanted`` can have it, and at its price. The others are left as they are.
    """
    ordered = sorted(wanted, key=lambda one: one.order_id)
    ids = array(sorted({one.product_id for one in wanted}))
    taken = tx.execute(_TAKE, {**columns(ordered, Wanted.__annotations__), "ids": ids})
    return lambda: {row.order_id for row in taken}


def add_movements(tx: Transaction, movements: Sequence[Movement]) -> None:
    """Store new movements, and take from the stock what they took.

    Raises:
        psycopg.errors.UniqueViolation: another replica stored one meanwhile; raised at the commit. It will be
            found when the batch is tried again.
    """
    if not movements:
        return
    ordered = sorted(movements, key=lambda movement: movement.order_id)
    tx.execute(_ADD_MOVEMENTS, columns(ordered, Movement.__annotations__))
    _change_stock(tx, _pieces(movements, -1))


def undo_movements(tx: Transaction, movements: Sequence[Movement]) -> None:
    """Mark stored movements as undone, and give back to the stock what they held."""
    if movements:
        tx.execute(_UNDO, {"ids": array(sorted(movement.order_id for movement in movements))})
        _change_stock(tx, _pieces(movements, 1))


def _lock_products(tx: Transaction, product_ids: Iterable[int]) -> Iterable[Any]:
    return tx.execute(_LOCK_PRODUCTS, {"ids": array(sorted(set(product_ids)))})


def _shelves(rows: Iterable[Any]) -> dict[int, Shelf]:
    return {row.product_id: Shelf(row.price, row.stock) for row in rows}


def _pieces(movements: Iterable[Movement], sign: int) -> dict[int, int]:
    pieces: Counter[int] = Counter()
    for movement in movements:
        if movement.holds_stock:
            pieces[movement.product_id] += sign * movement.quantity
    return pieces


def _change_stock(tx: Transaction, pieces: dict[int, int]) -> None:
    if pieces:
        tx.execute(_CHANGE_STOCK, {"ids": array(pieces), "pieces": array(pieces.values())})


def _product(row: Row) -> Product:
    return Product(**row._asdict())
