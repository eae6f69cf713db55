"""The checker on what customers and operators are shown: refusals are justified, and each cancel has its end."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import Outcome, RestockRow, SagaCall, WentBack
from tests.chaos.story import DELIVER, PRODUCT, TAKE, Story, good

SECOND = 1_000_000


def violations(story: Story) -> list[str]:
    return [str(violation) for violation in check(story.evidence)]


def refused_pieces(story: Story, reason: str, **other: object) -> None:
    """Add the story of order 4, whose pieces are refused."""
    created = story.accepted(4)
    content = replace(story.rows.orders[4].content, **other)  # type: ignore[arg-type] # its fields by name
    pieces = {"product_id": content.product_id, "quantity": content.quantity, "price": content.price}
    command = story.record("decrease-product-command", "DecreaseProductCommand", created, order_id=4, **pieces)
    story.not_taken(4, content, reason)
    reply = story.record("product-decreased", "ProductDecreased", command, order_id=4, success=False, reason=reason)
    story.event(4, "STEP_REFUSED", TAKE, reason, cause=reply)
    story.ended(4, "COMPENSATED", reply, reason)


@pytest.mark.parametrize("wanted", [10, 12])
def test_more_than_there_was_is_rightly_out_of_stock(wanted: int) -> None:
    story = good()
    refused_pieces(story, "OUT_OF_STOCK", quantity=wanted)
    assert [text for text in violations(story) if text.startswith("(13)")] == []


def test_less_than_there_was_at_any_time_is_wrongly_out_of_stock() -> None:
    story = good()
    refused_pieces(story, "OUT_OF_STOCK", quantity=2)
    (violation,) = [text for text in violations(story) if text.startswith("(13)")]
    assert violation == "(13) order 4 was refused its pieces as OUT_OF_STOCK: it wanted 2, and at least 4 were left"


def test_what_others_have_got_is_rightly_out_of_stock() -> None:
    story = good()
    story.completed(5, 9)  # of 11 that were left
    refused_pieces(story, "OUT_OF_STOCK", quantity=3)
    assert violations(story) == []


def test_pieces_that_came_in_just_then_may_have_come_too_late_for_it() -> None:
    story = good()
    story.rows.restocks[-1] = RestockRow(PRODUCT, 5, "again", story.time() - 60 * SECOND)
    refused_pieces(story, "OUT_OF_STOCK", quantity=9)
    (early,) = [text for text in violations(story) if text.startswith("(13)")]
    assert "at least 9 were left" in early
    story.rows.restocks[-1] = RestockRow(PRODUCT, 5, "again", story.time())
    assert [text for text in violations(story) if text.startswith("(13)")] == []


def test_another_price_is_rightly_refused_and_the_products_own_wrongly() -> None:
    story = good()
    refused_pieces(story, "PRICE_CHANGED", price=501)
    assert [text for text in violations(story) if text.startswith("(13)")] == []
    story.rows.movements[4] = replace(story.rows.movements[4], price=500)
    assert "(13) order 4 was refused its pieces as PRICE_CHANGED: 500 is its product's price" in violations(story)


def test_an_unknown_product_is_rightly_refused_and_a_known_one_wrongly() -> None:
    story = good()
    refused_pieces(story, "UNKNOWN_PRODUCT", product_id=99)
    assert [text for text in violations(story) if text.startswith("(13)")] == []
    story.rows.movements[4] = replace(story.rows.movements[4], product_id=PRODUCT)
    assert "(13) order 4 was refused its pieces as UNKNOWN_PRODUCT: product 1 is in the catalogue" in violations(story)


@pytest.mark.parametrize("address", ["PO Box 3", "p.o.b. 7", "P O  BOX", "Boîte postale 1", "Apartado de Correos 9"])
def test_a_post_office_box_is_rightly_refused(address: str) -> None:
    story = good()
    story.rows.deliveries[3] = replace(story.rows.deliveries[3], address=address)
    assert [text for text in violations(story) if text.startswith("(13)")] == []


def test_an_address_with_a_door_is_wrongly_refused() -> None:
    story = good()
    story.rows.deliveries[3] = replace(story.rows.deliveries[3], address="Box Street 1")
    expected = "(13) order 3 was refused delivery as UNDELIVERABLE_ADDRESS: 'Box Street 1' is no post-office box"
    assert expected in violations(story)


def reason_of_its_own(story: Story) -> None:
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="BAD_MOOD")


def timed_out_of_nothing(story: Story) -> None:
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="TIMED_OUT")


def cancelled_for_nobody(story: Story) -> None:
    story.cancelled(4)
    story.rows.orders[4] = replace(story.rows.orders[4], cancel_time=None)


def undone_for_nobody(story: Story) -> None:
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="UNDONE")


@pytest.mark.parametrize("spoil", [reason_of_its_own, timed_out_of_nothing, cancelled_for_nobody, undone_for_nobody])
def test_a_cancelled_order_has_a_reason_that_something_explains(spoil: Callable[[Story], None]) -> None:
    story = good()
    spoil(story)
    assert any("which nothing explains" in text for text in violations(story))


def test_a_refusal_that_a_database_forgot_is_known_from_its_answer_alone() -> None:
    story = good()
    story.completed(5, 9)
    refused_pieces(story, "OUT_OF_STOCK", quantity=3)
    story.rows.movements[4] = replace(story.rows.movements[4], refusal=None, undone=True)
    assert violations(story) == ["(13) order 4 was cancelled as OUT_OF_STOCK, which nothing explains"]
    story.evidence.went_back.append(WentBack("product_svc", 1.0, 20.0))
    assert violations(story) == []


def test_a_cancel_in_time_ends_cancelled() -> None:
    story = good()
    story.cancelled(4)
    assert violations(story) == []


def test_a_cancel_that_comes_too_late_leaves_the_order_completed_and_the_history_says_so() -> None:
    story = good()
    story.completed(4)
    story.asked_to_cancel(4)
    assert [text for text in violations(story) if text.startswith("(14)")] == [
        "(14) order 4 is COMPLETED, and its saga does not say what became of the cancel"
    ]
    story.event(4, "CANCEL_TOO_LATE", None, "user 7: ")
    assert violations(story) == []


def test_a_late_cancel_may_be_in_no_history_where_that_was_forgotten_since() -> None:
    story = good()
    story.completed(4)
    story.asked_to_cancel(4)
    story.evidence.cancels[-1] = replace(story.evidence.cancels[-1], began=5.0, ended=5.1)
    story.evidence.went_back.append(WentBack("orchestrator_svc", 1.0, 4.0))
    assert len(violations(story)) == 1
    story.evidence.went_back.append(WentBack("orchestrator_svc", 6.0, 7.0))
    assert violations(story) == []


def accepted_and_completed(story: Story) -> None:
    story.completed(4)
    story.event(4, "CANCEL_ACCEPTED", None)


def late_and_cancelled(story: Story) -> None:
    story.event(3, "CANCEL_TOO_LATE", None)


def acknowledged_and_not_noted(story: Story) -> None:
    story.cancelled(4)
    story.rows.orders[4] = replace(story.rows.orders[4], cancel_time=None)


def ended_for_another_reason(story: Story) -> None:
    story.cancelled(4)
    story.rows.orders[4] = replace(story.rows.orders[4], cancel_reason="OUT_OF_STOCK")


def acknowledged_to_an_operator(story: Story) -> None:
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 1, Outcome.ACKNOWLEDGED))


def too_late_for_an_operator(story: Story) -> None:
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 3, Outcome.REFUSED, "TOO_LATE"))


BAD = [
    (accepted_and_completed, "order 4 is COMPLETED (None), and its cancel was accepted"),
    (late_and_cancelled, "order 3 is CANCELLED (UNDELIVERABLE_ADDRESS), and its cancel came too late"),
    (acknowledged_and_not_noted, "the cancel of order 4 was acknowledged, and is not noted on it"),
    (ended_for_another_reason, "order 4 is CANCELLED (OUT_OF_STOCK), and its cancel was accepted"),
    (acknowledged_to_an_operator, "an operator's cancel of order 1 was acknowledged, and it is COMPLETED"),
    (
        too_late_for_an_operator,
        "an operator's cancel of order 3 was refused as too late, and it is CANCELLED (UNDELIVERABLE_ADDRESS)",
    ),
]


@pytest.mark.parametrize(("spoil", "text"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_a_cancel_without_its_end_is_named(spoil: Callable[[Story], None], text: str) -> None:
    story = good()
    spoil(story)
    assert f"(14) {text}" in violations(story)


def test_an_operators_cancel_that_a_database_forgot_is_nobodys_fault() -> None:
    story = good()
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 1, Outcome.ACKNOWLEDGED, began=5.0, ended=5.1))
    story.evidence.went_back.append(WentBack("orchestrator_svc", 5.0, 6.0))
    assert violations(story) == []


def test_an_order_that_was_refused_before_its_cancel_came_keeps_its_reason() -> None:
    story = good()
    story.asked_to_cancel(3)
    assert violations(story) == []
    assert [event.step for event in story.rows.events if event.order_id == 3] == [None, TAKE, DELIVER, TAKE]
