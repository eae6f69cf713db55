"""The list of what has moved a product's stock, on a real database."""

from collections.abc import Iterator

import pytest
from ordersaga.messages import DecreaseProductCommand, IncreaseProductCommand

from devstack.stack import Stack
from product_svc import movements, store
from product_svc.handlers import decrease_product, increase_product
from product_svc.movements import Listed, Place
from sagakit.postgres.database import Database
from tests.support.scratch import database_of, migrated_database

PRICE = 500


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "product_svc"))
    yield database
    database.close()


def product(database: Database, stock: int) -> int:
    return database.transact(lambda tx: store.create(tx, "A thing", PRICE, stock)).product_id


def order(database: Database, product_id: int, *orders: tuple[int, int]) -> None:
    """Take stock for orders, each an id and how many pieces it wants, in one transaction."""
    commands = [
        DecreaseProductCommand(order_id=one, product_id=product_id, quantity=pieces, price=PRICE)
        for one, pieces in orders
    ]
    with database.pipeline() as pipeline:
        decrease_product(commands, pipeline)


def undo(database: Database, product_id: int, order_id: int, pieces: int) -> None:
    with database.pipeline() as pipeline:
        increase_product([IncreaseProductCommand(order_id=order_id, product_id=product_id, quantity=pieces)], pipeline)


def restock(database: Database, product_id: int, pieces: int) -> None:
    with database.transaction() as tx:
        store.lock_shelves(tx, [product_id])
        store.restock(tx, product_id, pieces, None)


def listed(database: Database, product_id: int, size: int = 1000) -> list[Listed]:
    """Return all movements of a product, read in pages of so many."""
    found: list[Listed] = []
    before: Place | None = None
    while True:
        with database.transaction() as tx:
            page = list(movements.find(tx, product_id, before=before, limit=size))
        found += page
        if len(page) < size:
            return found
        before = page[-1].place


def test_the_changes_of_all_movements_make_the_stock(database: Database) -> None:
    shelf, other = product(database, 10), product(database, 10)
    order(database, shelf, (11, 4))
    order(database, shelf, (12, 7), (13, 2))
    undo(database, shelf, 11, 4)
    undo(database, shelf, 14, 1)
    restock(database, shelf, 5)
    order(database, other, (15, 3))
    found = listed(database, shelf)
    assert [(one.order_id, one.quantity, one.change, one.refusal, one.undone) for one in found] == [
        (None, 5, 5, None, False),
        (14, 1, 0, "UNDONE", True),
        (13, 2, -2, None, False),
        (12, 7, 0, "OUT_OF_STOCK", False),
        (11, 4, 0, None, True),
        (None, 10, 10, None, False),
    ]
    stored = database.transact(lambda tx: store.get(tx, shelf))
    assert stored is not None
    assert sum(one.change for one in found) == stored.stock == 13


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_lose_nothing_and_repeat_nothing_though_many_happened_at_one_moment(
    database: Database, size: int
) -> None:
    shelf = product(database, 100)
    first = 1000 * size
    order(database, shelf, *((first + number, 1) for number in range(6)))
    with database.transaction() as tx:  # a restock at the moment of an order's
        tx.execute(
            "INSERT INTO restocks (product_id, quantity, create_time)"
            " SELECT product_id, 1, create_time FROM stock_movements WHERE order_id = %(id)s::bigint",
            {"id": first},
        )
    whole = listed(database, shelf)
    assert len(whole) == 8
    assert [one.place for one in whole] == sorted((one.place for one in whole), reverse=True)
    assert listed(database, shelf, size) == whole


def test_a_page_is_read_by_the_indexes(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("SET LOCAL enable_seqscan = off")
        plan = tx.execute(
            "EXPLAIN " + movements._LIST,  # noqa: SLF001 - the statement itself
            {"product_id": 1, "limit": 50, "before": "infinity", "order_id": 0, "restock_id": 0},
        )
        lines = "\n".join(row[0] for row in plan)
    assert "stock_movements_by_product" in lines
    assert "restocks_by_product" in lines
    assert "Sort Key: create_time DESC, order_id" not in lines
