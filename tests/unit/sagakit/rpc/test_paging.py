"""Page tokens belong to one list with one set of filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordersaga.order.v1.order_pb2 import Order

from sagakit.errors import InvalidArgument
from sagakit.rpc.paging import last_id, last_key, next_page_token, one_page, page_size


@given(st.integers(0, 2**63 - 1), st.tuples(st.integers(), st.text()))
def test_a_token_leads_back_to_its_id(number: int, filters: tuple[int, str]) -> None:
    assert last_id("orders", filters, next_page_token("orders", filters, number)) == number


def test_a_token_leads_back_to_a_key_of_several_numbers_and_to_no_other_key() -> None:
    token = next_page_token("movements", 7, 5, 0, 2**63 - 1)
    assert last_key("movements", 7, token, 3) == (5, 0, 2**63 - 1)
    assert last_key("movements", 7, "", 3) is None
    for numbers in (1, 2, 4):
        with pytest.raises(InvalidArgument):
            last_key("movements", 7, token, numbers)


def test_no_token_is_the_first_page() -> None:
    assert last_id("orders", (), "") is None


@given(st.text(min_size=1))
def test_whatever_else_is_given_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        last_id("orders", (), token)
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


def test_a_token_of_another_list_or_other_filters_is_refused() -> None:
    token = next_page_token("orders", (1, 2), 7)
    for listing, filters in (("sagas", (1, 2)), ("orders", (2, 1)), ("orders", (1, 2, None))):
        with pytest.raises(InvalidArgument):
            last_id(listing, filters, token)


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_page_has_a_size_within_reason(asked: int, given_: int) -> None:
    assert page_size(asked) == given_


@pytest.mark.parametrize(("entries", "on_it", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_page_has_no_more_entries_than_its_size_and_says_whether_more_are_left(
    entries: int, on_it: int, more: bool
) -> None:
    orders = [Order(order_id=number) for number in range(1, entries + 1)]
    assert one_page(orders, 3) == (orders[:on_it], more)
