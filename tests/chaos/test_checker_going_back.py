"""The checker where a database went back: it lets pass what nobody can have, and nothing more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import Content, CreateCall, OffsetSample, Outcome, RestockCall, Rows, SagaCall, WentBack
from tests.chaos.story import DELIVER, PRODUCT, TAKE, Story, good


@pytest.fixture
def story() -> Story:
    return good()


def found(story: Story) -> set[int]:
    return {violation.invariant for violation in check(story.evidence)}


def went_back(story: Story, service: str, since: float = 4.0, time: float = 8.0) -> None:
    story.evidence.went_back.append(WentBack(service, since, time))


def forgotten_order(story: Story, began: float, ended: float) -> None:
    """Have an order acknowledged that neither the database nor Kafka has."""
    content = Content(7, PRODUCT, 1, 500)
    story.evidence.creates.append(
        CreateCall("r9", content, Outcome.ACKNOWLEDGED, 9, content, began=began, ended=ended),
    )


@pytest.mark.parametrize(("began", "ended"), [(3.9, 4.1), (5.0, 5.1), (7.9, 8.1)])
def test_an_order_that_its_database_forgot_before_it_reached_kafka_may_be_lost(
    story: Story, began: float, ended: float
) -> None:
    went_back(story, "order_svc")
    forgotten_order(story, began, ended)
    assert found(story) == set()


@pytest.mark.parametrize(("began", "ended"), [(3.0, 3.9), (8.1, 9.0)])
def test_no_order_is_lost_that_was_acknowledged_before_or_afterwards(story: Story, began: float, ended: float) -> None:
    went_back(story, "order_svc")
    forgotten_order(story, began, ended)
    assert found(story) == {1}


def test_no_order_is_lost_by_another_service_s_database(story: Story) -> None:
    went_back(story, "product_svc")
    forgotten_order(story, 5.0, 5.1)
    assert found(story) == {1}


def test_no_order_is_lost_that_reached_kafka(story: Story) -> None:
    went_back(story, "order_svc")
    forgotten_order(story, 5.0, 5.1)
    story.record("order-created", "OrderCreated", order_id=9)
    assert 1 in found(story)


@pytest.mark.parametrize(("service", "violated"), [("product_svc", set[int]()), ("delivery_svc", {2})])
def test_a_restock_may_be_forgotten_by_the_database_that_holds_it(
    story: Story, service: str, violated: set[int]
) -> None:
    went_back(story, service)
    restock = RestockCall(PRODUCT, 3, "forgotten", Outcome.ACKNOWLEDGED, began=5.0, ended=5.1)
    story.evidence.restocks.append(restock)
    assert found(story) == violated


def asked_again(story: Story) -> None:
    """Have the request of a lost order be made again, with other content, and be accepted."""
    forgotten_order(story, 5.0, 5.1)
    story.completed(4)
    story.evidence.creates[-1] = replace(story.evidence.creates[-1], request_id="r9")


def test_the_request_of_an_order_that_is_lost_may_make_another(story: Story) -> None:
    went_back(story, "order_svc")
    asked_again(story)
    assert found(story) == set()


def test_no_other_request_may(story: Story) -> None:
    asked_again(story)
    assert found(story) == {1, 4}


def pieces_given_to_others(story: Story, *, stuck: bool) -> None:
    """Have an order be COMPLETED whose pieces could not be taken a second time."""
    story.completed(7, 11)  # it got them
    story.rows.movements[1] = replace(story.rows.movements[1], refusal="OUT_OF_STOCK")
    story.rows.stock[PRODUCT] += 2
    story.event(1, "STEP_REFUSED", TAKE, f"{TAKE} was done before, and is refused now: OUT_OF_STOCK")
    story.rows.sagas[1] = replace(story.rows.sagas[1], stuck=stuck)


def test_pieces_that_others_got_meanwhile_leave_a_saga_that_is_stuck(story: Story) -> None:
    went_back(story, "product_svc")
    pieces_given_to_others(story, stuck=True)
    assert found(story) == set()


def test_pieces_that_others_got_meanwhile_are_not_lost_in_silence(story: Story) -> None:
    went_back(story, "product_svc")
    pieces_given_to_others(story, stuck=False)
    assert found(story) == {2, 3}


@pytest.mark.parametrize(("service", "violated"), [("orchestrator_svc", set[int]()), ("order_svc", {6})])
def test_a_saga_goes_back_with_its_database_alone(story: Story, service: str, violated: set[int]) -> None:
    later = replace(story.rows.sagas[1], version=9)
    story.evidence.offsets.insert(0, OffsetSample("orchestrator_svc", 0.5, {}, Rows(sagas={1: later})))
    went_back(story, service, since=0.2, time=0.9)
    assert found(story) == violated


def test_what_was_committed_and_is_forgotten_need_not_have_its_effect_at_once(story: Story) -> None:
    reached = {("create-delivery-command", 0, 0): 3}
    story.evidence.offsets[:] = [
        OffsetSample("delivery_svc", 9.0, reached, Rows()),
        OffsetSample("delivery_svc", 11.0, reached, story.rows),
    ]
    assert found(story) == {7}
    went_back(story, "delivery_svc")
    assert found(story) == set()


def test_what_is_forgotten_must_have_its_effect_at_last(story: Story) -> None:
    went_back(story, "delivery_svc")
    del story.rows.deliveries[3]
    assert 8 in found(story)


def test_a_step_that_was_undone_before_the_saga_forgot_is_undone_again(story: Story) -> None:
    story.rows.events[:] = [event for event in story.rows.events if event.order_id != 3]
    for kind, step, reason in (
        ("STARTED", None, None),
        ("STEP_UNDONE", DELIVER, "UNDONE"),
        ("STEP_UNDONE", DELIVER, None),
        ("STEP_UNDONE", TAKE, None),
    ):
        story.event(3, kind, step, reason)
    ended = replace(story.rows.sagas[3], reason="UNDONE")
    story.rows.sagas[3] = ended
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="UNDONE")
    assert 6 in found(story)
    went_back(story, "orchestrator_svc")
    assert 6 not in found(story)


@pytest.mark.parametrize(("service", "violated"), [("orchestrator_svc", set[int]()), ("delivery_svc", {1, 6})])
def test_why_an_order_is_cancelled_may_be_forgotten(story: Story, service: str, violated: set[int]) -> None:
    went_back(story, service)
    story.rows.sagas[3] = replace(story.rows.sagas[3], reason="UNDONE")
    for number, event in enumerate(story.rows.events):
        if event.reason == "UNDELIVERABLE_ADDRESS":
            story.rows.events[number] = replace(event, reason="UNDONE")
    story.record("complete-order-command", "CancelOrderCommand", order_id=3, reason="UNDONE")
    assert found(story) == violated


def test_a_completed_order_may_not_be_undone_for_a_reason_that_is_forgotten(story: Story) -> None:
    went_back(story, "orchestrator_svc")
    story.rows.sagas[1] = replace(story.rows.sagas[1], status="COMPENSATED", reason="UNDONE")
    assert {3, 6} <= found(story)


def cancelled_and_forgotten(story: Story, reason: str) -> None:
    """Have an order be cancelled for ``reason``, and its saga learn of that from an undo that it has forgotten."""
    forgotten = story.accepted(4)
    story.record("complete-order-command", "CancelOrderCommand", forgotten, order_id=4, reason=reason)
    undo = story.record("decrease-product-command", "IncreaseProductCommand", forgotten, **pieces_of(4))
    undone = story.record("product-decreased", "ProductIncreased", undo, order_id=4)
    story.event(4, "STEP_UNDONE", TAKE, "UNDONE", cause=undone)
    story.undelivered(4, undone)
    story.not_taken(4, story.rows.orders[4].content, "UNDONE")
    story.rows.movements[4] = replace(story.rows.movements[4], undone=True)
    story.event(4, "STEP_UNDONE", TAKE, cause=undone)
    story.ended(4, "COMPENSATED", undone, "UNDONE")
    story.rows.orders[4] = replace(story.rows.orders[4], cancel_reason=reason)  # the first reason stands


def pieces_of(order_id: int) -> dict[str, object]:
    return {"order_id": order_id, "product_id": PRODUCT, "quantity": 2}


def asked_by_an_operator(story: Story) -> None:
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 4, Outcome.ACKNOWLEDGED, began=5.0, ended=5.1))


def asked_by_the_customer(story: Story) -> None:
    story.asked_to_cancel(4)


@pytest.mark.parametrize("ask", [asked_by_an_operator, asked_by_the_customer])
def test_a_cancel_that_its_saga_forgot_still_explains_why_the_order_is_cancelled(
    story: Story, ask: Callable[[Story], None]
) -> None:
    cancelled_and_forgotten(story, "CANCEL_REQUESTED")
    ask(story)
    assert 13 in found(story)
    went_back(story, "orchestrator_svc")
    assert found(story) == set()


def test_a_cancel_that_nobody_asked_for_is_not_explained_by_what_a_saga_forgot(story: Story) -> None:
    cancelled_and_forgotten(story, "CANCEL_REQUESTED")
    went_back(story, "orchestrator_svc")
    assert found(story) == {13}


def test_a_cancel_that_no_saga_accepted_is_not_explained_by_a_saga_that_knows_another_reason(story: Story) -> None:
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="CANCEL_REQUESTED")
    story.asked_to_cancel(3)
    went_back(story, "orchestrator_svc")
    assert 13 in found(story)


@pytest.mark.parametrize(("service", "violated"), [("orchestrator_svc", set[int]()), ("product_svc", {13})])
def test_a_time_out_may_be_forgotten_by_the_sagas_database_alone(
    story: Story, service: str, violated: set[int]
) -> None:
    cancelled_and_forgotten(story, "TIMED_OUT")
    went_back(story, service)
    assert found(story) & {13} == violated


def refused_after_all(story: Story) -> None:
    """Have order 3 be cancelled by an operator, and its saga forget that and read a refusal that came later."""
    cause = next(record for record in story.evidence.records if record.order_id == 3)
    story.record("complete-order-command", "CancelOrderCommand", cause, order_id=3, reason="CANCEL_REQUESTED")
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 3, Outcome.ACKNOWLEDGED, began=5.0, ended=5.1))
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="CANCEL_REQUESTED")


def test_a_saga_that_forgot_a_cancel_may_be_compensated_for_a_refusal_that_came_behind_it(story: Story) -> None:
    refused_after_all(story)
    assert found(story) == {1, 6, 13}
    went_back(story, "orchestrator_svc")
    assert found(story) == set()


def test_a_saga_that_forgot_a_refusal_may_accept_a_cancel_that_came_behind_it(story: Story) -> None:
    story.cancelled(4)
    cause = next(record for record in story.evidence.records if record.order_id == 4)
    story.record("complete-order-command", "CancelOrderCommand", cause, order_id=4, reason="OUT_OF_STOCK")
    story.rows.orders[4] = replace(story.rows.orders[4], cancel_reason="OUT_OF_STOCK")
    story.rows.movements[4] = replace(story.rows.movements[4], refusal="OUT_OF_STOCK", quantity=12)
    assert {1, 6, 14} <= found(story)
    went_back(story, "orchestrator_svc")
    assert found(story) & {1, 6, 13, 14} == set()


def test_an_order_may_not_have_two_reasons_where_its_saga_forgot_nothing(story: Story) -> None:
    refused_after_all(story)
    went_back(story, "orchestrator_svc", since=20.0, time=24.0)  # the order was cancelled before
    assert found(story) == {1, 6, 13}


def completed_after_all(story: Story, *, stuck: bool) -> None:
    """Have the saga of the cancelled order come to another end, and find that its steps are undone."""
    story.record("complete-order-command", "CompleteOrderCommand", order_id=3)
    story.rows.events[:] = [event for event in story.rows.events if event.order_id != 3]
    for kind, step in (("STARTED", None), ("STEP_DONE", TAKE), ("STEP_DONE", DELIVER), ("STEP_UNDONE", DELIVER)):
        story.event(3, kind, step)
    story.rows.sagas[3] = replace(story.rows.sagas[3], status="COMPLETED", reason=None, stuck=stuck)


def test_a_saga_that_has_forgotten_a_cancel_may_be_stuck_at_another_end(story: Story) -> None:
    went_back(story, "orchestrator_svc")
    completed_after_all(story, stuck=True)
    assert found(story) == set()


def test_it_may_not_come_to_another_end_in_silence(story: Story) -> None:
    went_back(story, "orchestrator_svc")
    completed_after_all(story, stuck=False)
    assert {1, 3, 6} <= found(story)


def test_a_cancel_that_came_in_time_is_still_explained_by_a_saga_that_is_stuck_at_another_end(story: Story) -> None:
    went_back(story, "orchestrator_svc")
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="CANCEL_REQUESTED")
    story.record("complete-order-command", "CancelOrderCommand", order_id=3, reason="CANCEL_REQUESTED")
    story.evidence.saga_calls.append(SagaCall("CancelSaga", 3, Outcome.ACKNOWLEDGED, began=5.0, ended=5.1))
    completed_after_all(story, stuck=True)
    assert found(story) == set()
