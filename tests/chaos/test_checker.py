"""The checker: it passes a good run, and names the invariant of each thing that is wrong in a bad one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import (
    Content,
    CreateCall,
    DeliveryRow,
    OffsetSample,
    OrderRow,
    OutboxRow,
    Outcome,
    Overdue,
    Place,
    ReadCall,
    Record,
    Remade,
    RestockRow,
    Restored,
    Rows,
    StockSample,
)
from tests.chaos.story import DELIVER, PRODUCT, TAKE, Story, good, start_of


def pieces(order_id: int) -> dict[str, object]:
    return {"order_id": order_id, "product_id": PRODUCT, "quantity": 2, "price": 500}


def found(story: Story) -> set[int]:
    return {violation.invariant for violation in check(story.evidence)}


def test_a_good_run_has_no_violation() -> None:
    assert check(good().evidence) == []


def never_final(story: Story) -> None:
    story.accepted(9)


def gone(story: Story) -> None:
    content = Content(7, PRODUCT, 1, 500)
    story.evidence.creates.append(CreateCall("r9", content, Outcome.ACKNOWLEDGED, 9, content))


def ended_twice(story: Story) -> None:
    story.record("complete-order-command", "CancelOrderCommand", order_id=1, reason="OUT_OF_STOCK")


def changed_its_end(story: Story) -> None:
    before = replace(story.rows.orders[3], status="COMPLETED", cancel_reason=None)
    story.evidence.offsets.insert(0, OffsetSample("order_svc", 0.5, {}, Rows(orders={3: before})))


def two_orders_of_one_request(story: Story) -> None:
    story.completed(4)
    story.rows.orders[4] = replace(story.rows.orders[4], request_id="r1")


def taken_twice(story: Story) -> None:
    story.rows.stock[PRODUCT] -= 2


def negative_for_a_moment(story: Story) -> None:
    story.evidence.stock.append(StockSample(2.0, PRODUCT, -1))


def restock_lost(story: Story) -> None:
    story.rows.restocks.pop()
    story.rows.stock[PRODUCT] -= 5


def restocked_twice(story: Story) -> None:
    story.rows.restocks.append(RestockRow(PRODUCT, 5, "again"))
    story.rows.stock[PRODUCT] += 5


def completed_without_delivery(story: Story) -> None:
    del story.rows.deliveries[1]


def cancelled_with_delivery(story: Story) -> None:
    story.rows.deliveries[3] = DeliveryRow(3, 7, "Main Street 1", "SCHEDULED")


def cancelled_holding_pieces(story: Story) -> None:
    story.rows.movements[3] = replace(story.rows.movements[3], undone=False)
    story.rows.stock[PRODUCT] -= 2


def delivered_to_nobody(story: Story) -> None:
    story.rows.deliveries[77] = DeliveryRow(77, 7, "Main Street 1", "SCHEDULED")


def other_content_accepted(story: Story) -> None:
    content = Content(7, PRODUCT, 9, 500)
    story.evidence.creates.append(CreateCall("r1", content, Outcome.ACKNOWLEDGED, 1, content))


def two_answers_to_one_request(story: Story) -> None:
    call = story.evidence.creates[0]
    story.evidence.creates.append(replace(call, order_id=2))


def request_burnt(story: Story) -> None:
    call = story.evidence.creates[0]
    story.evidence.creates.append(replace(call, outcome=Outcome.REFUSED, order_id=None, code="ALREADY_EXISTS"))


def answered_otherwise(story: Story) -> None:
    call = story.evidence.creates[0]
    story.evidence.creates[0] = replace(call, answered=replace(call.content, quantity=9))


def stored_otherwise(story: Story) -> None:
    order = story.rows.orders[1]
    story.rows.orders[1] = replace(order, content=replace(order.content, address="Other Street 1"))


def outbox_row_lost(story: Story) -> None:
    story.evidence.outbox.append(OutboxRow("m-lost", "order-created"))


def outbox_row_left(story: Story) -> None:
    story.rows.outbox.append(OutboxRow("m1", "order-created"))


def history_out_of_order(story: Story) -> None:
    story.rows.events[1] = replace(story.rows.events[1], version=1)


def done_after_the_end(story: Story) -> None:
    story.event(1, "STEP_DONE", DELIVER)


def undone_while_running(story: Story) -> None:
    story.rows.events[1] = replace(story.rows.events[1], type="STEP_UNDONE")


def stored_otherwise_than_told(story: Story) -> None:
    story.rows.sagas[3] = replace(story.rows.sagas[3], reason="OUT_OF_STOCK")
    story.rows.orders[3] = replace(story.rows.orders[3], cancel_reason="OUT_OF_STOCK")


def brought_about_by_a_stranger(story: Story) -> None:
    reply = story.evidence.records[2]
    story.rows.events[-1] = replace(story.rows.events[-1], message_id=reply.message_id)


def committed_too_early(story: Story) -> None:
    sample = next(sample for sample in story.evidence.offsets if sample.group == "product_svc")
    sample.rows = Rows(movements={1: story.rows.movements[1], 2: story.rows.movements[2]})


def poison_vanished(story: Story) -> None:
    story.evidence.records.append(Record(Place("delivery-created", 5, 0), b"x", b"rubbish", {}))


def undo_without_effect(story: Story) -> None:
    story.record("create-delivery-command", "CancelDeliveryCommand", order_id=1, user_id=7, address="Main Street 1")


def reused_id_answered(story: Story) -> None:
    content = Content(8, PRODUCT, 1, 500)
    again = story.record("order-created", "OrderCreated", **{**start_of(1, content), "create_time": 5})
    story.parked(again, "REUSED_ID")
    story.record("complete-order-command", "CompleteOrderCommand", again, order_id=1)


def good_record_parked(story: Story) -> None:
    story.parked(story.evidence.records[1], "HANDLER_ERROR")


def forgery_obeyed(story: Story) -> None:
    forged = story.record("decrease-product-command", "DecreaseProductCommand", **pieces(1))
    story.evidence.forged.add(forged.message_id)


def answered_internal(story: Story) -> None:
    story.evidence.reads.append(ReadCall("GetOrder", Outcome.UNANSWERED, "INTERNAL"))


def never_asked_again(story: Story) -> None:
    story.evidence.overdue.append(Overdue(1, 9.0))


BAD: list[tuple[int, Callable[[Story], None]]] = [
    (1, never_final),
    (1, gone),
    (1, ended_twice),
    (1, changed_its_end),
    (1, two_orders_of_one_request),
    (2, taken_twice),
    (2, negative_for_a_moment),
    (2, restock_lost),
    (2, restocked_twice),
    (3, completed_without_delivery),
    (3, cancelled_with_delivery),
    (3, cancelled_holding_pieces),
    (3, delivered_to_nobody),
    (4, other_content_accepted),
    (4, two_answers_to_one_request),
    (4, request_burnt),
    (4, answered_otherwise),
    (4, stored_otherwise),
    (5, outbox_row_lost),
    (5, outbox_row_left),
    (6, history_out_of_order),
    (6, done_after_the_end),
    (6, undone_while_running),
    (6, stored_otherwise_than_told),
    (6, brought_about_by_a_stranger),
    (7, committed_too_early),
    (8, poison_vanished),
    (8, undo_without_effect),
    (8, reused_id_answered),
    (9, good_record_parked),
    (9, forgery_obeyed),
    (10, answered_internal),
    (11, never_asked_again),
]


@pytest.mark.parametrize(("invariant", "spoil"), BAD, ids=[f"{n}-{spoil.__name__}" for n, spoil in BAD])
def test_what_is_wrong_is_found_under_its_invariant(invariant: int, spoil: Callable[[Story], None]) -> None:
    story = good()
    spoil(story)
    assert invariant in found(story)


def test_an_unanswered_call_may_have_made_an_order_or_none() -> None:
    story = good()
    content = Content(7, PRODUCT, 2, 500, "Main Street 1")
    story.evidence.creates += [
        CreateCall("never", content, Outcome.UNANSWERED),
        replace(story.evidence.creates[0], outcome=Outcome.UNANSWERED, order_id=None, answered=None),
    ]
    assert check(story.evidence) == []


def test_other_content_refused_and_the_same_answered_again_are_right() -> None:
    story = good()
    call = story.evidence.creates[0]
    other = replace(call.content, quantity=1)
    story.evidence.creates += [call, CreateCall("r1", other, Outcome.REFUSED, code="ALREADY_EXISTS")]
    assert check(story.evidence) == []


def test_a_record_written_twice_needs_no_second_effect() -> None:
    story = good()
    again = [
        replace(record, place=replace(record.place, offset=100 + number))
        for number, record in enumerate(story.evidence.records)
    ]
    story.evidence.records += again
    assert check(story.evidence) == []


def test_a_parked_record_counts_as_dealt_with() -> None:
    story = good()
    poison = Record(Place("product-decreased", 5, 0), b"1", None, {"message-id": b"p"})
    story.evidence.records.append(poison)
    story.evidence.forged.add("p")
    story.parked(poison, "NULL_VALUE")
    assert check(story.evidence) == []


def test_a_forgery_that_is_parked_leaves_the_order_it_names_alone() -> None:
    story = good()
    content = replace(story.rows.orders[1].content, quantity=-5)
    forgeries = [
        story.record("order-created", "OrderCreated", **start_of(1, content)),
        story.record("complete-order-command", "CancelOrderCommand", order_id=1, reason="OUT_OF_STOCK"),
    ]
    for forged in forgeries:
        story.evidence.forged.add(forged.message_id)
        story.parked(forged, "OUT_OF_RANGE")
    assert check(story.evidence) == []


def test_what_was_lost_with_its_topic_is_exempt() -> None:
    story = good()
    story.evidence.remade.append(Remade(5.0, "order-created"))
    story.evidence.outbox.append(OutboxRow("m-lost", "order-created", seen=4.0, first_seen=4.0))
    story.evidence.records.append(Record(Place("order-created", 5, 0), b"x", b"rubbish", {}))
    assert check(story.evidence) == []


def test_an_order_whose_id_was_given_before_is_parked_and_left_alone() -> None:
    story = good()
    story.evidence.restored.append(Restored(2.0, (story.rows.orders[2],)))
    content = Content(8, PRODUCT, 1, 500)
    story.evidence.creates.append(CreateCall("later", content, Outcome.ACKNOWLEDGED, 2, content))
    story.rows.orders[2] = OrderRow(2, content, "PENDING", request_id="later")
    again = story.record("order-created", "OrderCreated", **{**start_of(2, content), "create_time": 5})
    story.parked(again, "REUSED_ID")
    assert check(story.evidence) == []


def test_a_timed_out_step_is_undone_and_the_reason_kept() -> None:
    story = good()
    created = story.accepted(4)
    story.event(4, "STEP_TIMED_OUT", TAKE, "attempt 1")
    story.event(4, "STEP_TIMED_OUT", TAKE, "attempt 2")
    undo = story.record(
        "decrease-product-command", "IncreaseProductCommand", created, order_id=4, product_id=PRODUCT, quantity=2
    )
    story.event(4, "STUCK", TAKE)
    story.event(4, "RETRIED", TAKE, "ann: look again")
    tombstone = replace(story.rows.movements[1], order_id=4, price=None, refusal="UNDONE", undone=True)
    story.rows.movements[4] = tombstone
    undone = story.record("product-decreased", "ProductIncreased", undo, order_id=4)
    story.event(4, "STEP_UNDONE", TAKE, cause=undone)
    story.ended(4, "COMPENSATED", undone, "TIMED_OUT")
    assert check(story.evidence) == []
