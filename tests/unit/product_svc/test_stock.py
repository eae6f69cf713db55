"""The rules of stock: first come, first served, and every refusal has its reason."""

import pytest

from product_svc.stock import Movement, Shelf, Wanted, allocate, tombstone

SHELVES = {1: Shelf(price=100, stock=5), 2: Shelf(price=200, stock=0)}


def wanted(order_id: int, quantity: int = 1, product_id: int = 1, price: int | None = 100) -> Wanted:
    return Wanted(order_id, product_id, quantity, price)


def refusals(*orders: Wanted) -> list[str | None]:
    return [movement.refusal for movement in allocate(orders, SHELVES)]


def test_orders_get_their_pieces_in_the_order_they_came() -> None:
    assert refusals(wanted(1, 3), wanted(2, 3), wanted(3, 2)) == [None, "OUT_OF_STOCK", None]


def test_whoever_orders_gets_the_pieces_as_long_as_there_are_enough() -> None:
    ids = [*range(1, 200), 10**6, 2**40]
    assert [one.refusal for one in allocate([wanted(one) for one in ids], {1: Shelf(100, 1000)})] == [None] * len(ids)


def test_the_last_piece_is_sold_once() -> None:
    assert refusals(wanted(1, 5), wanted(2, 1)) == [None, "OUT_OF_STOCK"]


def test_a_product_that_is_not_in_the_catalogue_is_refused() -> None:
    assert refusals(wanted(1, product_id=9)) == ["UNKNOWN_PRODUCT"]


def test_a_price_other_than_the_customer_saw_is_refused_before_the_stock_is_looked_at() -> None:
    assert refusals(wanted(1, price=99), wanted(2, product_id=2, price=100)) == ["PRICE_CHANGED", "PRICE_CHANGED"]


def test_allocating_leaves_the_shelves_as_they_were() -> None:
    allocate([wanted(1, 5)], SHELVES)
    assert SHELVES[1].stock == 5


def test_a_refused_order_holds_nothing_and_an_undone_one_neither() -> None:
    taken, refused = allocate([wanted(1), wanted(2, 9)], SHELVES)
    assert taken.holds_stock
    assert not refused.holds_stock
    assert not Movement(1, 1, 1, 100, None, undone=True).holds_stock


def test_a_decrease_that_comes_after_its_undo_is_refused() -> None:
    assert tombstone(wanted(1)).answer == "UNDONE"
    assert Movement(1, 1, 1, 100, None, undone=True).answer == "UNDONE"


@pytest.mark.parametrize("other", [wanted(1, quantity=2), wanted(1, product_id=2), wanted(1, price=101)])
def test_other_content_under_the_same_order_is_recognised(other: Wanted) -> None:
    (movement,) = allocate([wanted(1)], SHELVES)
    assert movement.is_for(wanted(1))
    assert movement.is_for(wanted(1, price=None))
    assert not movement.is_for(other)
