"""The checker on what readers are shown: answers, lists and streams agree with what is stored, and never go back."""

from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import (
    FaultWindow,
    OrderList,
    OrderView,
    OrderWatch,
    Restored,
    SagaView,
    SagaWatch,
    WentBack,
)
from tests.chaos.story import DELIVER, TAKE, Story, good

ENDED = 10.1
"""A second of the recording by which all orders of the good story have ended."""


def violations(story: Story) -> list[str]:
    return [str(violation) for violation in check(story.evidence)]


def final(story: Story, order_id: int, at: float = ENDED) -> OrderView:
    """Order ``order_id`` as it is stored in the end, answered at once."""
    row = story.rows.orders[order_id]
    times = (row.create_time, row.update_time, row.cancel_time)
    return OrderView(order_id, row.content, row.status, row.cancel_reason, *times, "GetOrder", at, at)


def pending(story: Story, order_id: int, at: float) -> OrderView:
    """The order as it was at first."""
    view = final(story, order_id, at)
    return replace(view, status="PENDING", cancel_reason=None, update_time=view.create_time)


def saga_at(story: Story, order_id: int, version: int, at: float) -> SagaView:
    """The saga as its history has it in ``version``, of an order that completes."""
    row, lines = story.rows.sagas[order_id], story.rows.events
    time = next(line.create_time for line in lines if (line.order_id, line.version) == (order_id, version))
    status, step = [("RUNNING", TAKE), ("RUNNING", DELIVER), ("COMPLETED", None)][version - 1]
    return SagaView(order_id, status, step, None, version, row.create_time, time, "GetSaga", at, at)


def test_an_order_that_was_read_pending_and_then_final_is_right() -> None:
    story = good()
    story.evidence.orders_seen += [pending(story, 1, 5.0), final(story, 1)]
    assert violations(story) == []


def test_a_read_that_overlaps_another_may_show_less_than_it() -> None:
    story = good()
    story.evidence.orders_seen += [final(story, 1), replace(pending(story, 1, ENDED + 1), began=ENDED - 1)]
    assert violations(story) == []


def test_an_order_that_is_read_pending_after_it_was_read_final_is_named() -> None:
    story = good()
    story.evidence.orders_seen += [final(story, 3), pending(story, 3, ENDED + 1)]
    assert violations(story) == [
        "(15) order 3, shown by GetOrder, was CANCELLED and is PENDING later, shown by GetOrder"
    ]


def test_an_order_that_is_shown_to_have_ended_otherwise_than_it_did_is_named() -> None:
    story = good()
    story.evidence.orders_seen.append(replace(final(story, 1), status="CANCELLED", cancel_reason="OUT_OF_STOCK"))
    assert violations(story) == ["(15) GetOrder: order 1 was shown to be CANCELLED, and is COMPLETED in the end"]


def test_content_that_is_not_what_was_acknowledged_is_named() -> None:
    story = good()
    view = final(story, 1)
    story.evidence.orders_seen.append(replace(view, content=replace(view.content, quantity=9)))
    (violation,) = violations(story)
    assert violation.startswith("(15) GetOrder: order 1 is shown as Content(user_id=7, product_id=1, quantity=9")


def test_an_update_time_that_falls_is_named() -> None:
    story = good()
    earlier = replace(final(story, 1, ENDED + 1), update_time=final(story, 1).update_time - 1)
    story.evidence.orders_seen += [final(story, 1), earlier]
    assert any("has an earlier update_time than before" in text for text in violations(story))


def test_a_request_to_cancel_that_is_shown_no_more_is_named() -> None:
    story = good()
    story.cancelled(4)
    story.evidence.orders_seen += [final(story, 4), replace(final(story, 4, ENDED + 1), cancel_time=None)]
    assert any("has lost its cancel_request_time" in text for text in violations(story))


def test_what_a_database_forgot_may_be_read_again_as_it_was() -> None:
    story = good()
    story.evidence.orders_seen += [final(story, 1), pending(story, 1, ENDED + 1)]
    story.evidence.went_back.append(WentBack("order_svc", ENDED - 1, ENDED + 0.5))
    assert violations(story) == []


def test_what_was_read_before_the_time_that_is_forgotten_must_be_read_again() -> None:
    story = good()
    story.evidence.orders_seen += [final(story, 1, 5.0), pending(story, 1, 9.0)]
    story.evidence.went_back.append(WentBack("order_svc", 6.0, 7.0))
    assert len(violations(story)) == 1


def test_what_another_services_database_forgot_excuses_no_read() -> None:
    story = good()
    story.evidence.orders_seen += [final(story, 1), pending(story, 1, ENDED + 1)]
    story.evidence.went_back.append(WentBack("delivery_svc", ENDED - 1, ENDED + 0.5))
    assert len(violations(story)) == 1


def test_an_order_whose_id_was_given_twice_is_read_as_either() -> None:
    story = good()
    story.evidence.restored.append(Restored(2.0, (story.rows.orders[2],)))
    story.evidence.orders_seen += [final(story, 2), pending(story, 2, ENDED + 1)]
    assert [text for text in violations(story) if text.startswith("(15)")] == []


def test_a_saga_that_is_read_as_its_history_says_is_right() -> None:
    story = good()
    story.evidence.sagas_seen += [saga_at(story, 1, version, float(version)) for version in (1, 2, 3)]
    assert violations(story) == []


def test_a_saga_in_a_state_that_its_history_does_not_lead_to_is_named() -> None:
    story = good()
    story.evidence.sagas_seen.append(replace(saga_at(story, 1, 2, 5.0), step=TAKE))
    (violation,) = violations(story)
    assert violation == (
        "(15) GetSaga: saga 1 was shown as RUNNING decrease-product in version 2,"
        " its history says RUNNING create-delivery"
    )


def test_a_saga_in_a_version_that_never_was_is_named() -> None:
    story = good()
    story.evidence.sagas_seen.append(replace(saga_at(story, 1, 3, 5.0), version=8))
    assert any("saga 1 was shown in version 8" in text for text in violations(story))


def test_a_saga_whose_version_falls_is_named() -> None:
    story = good()
    story.evidence.sagas_seen += [saga_at(story, 1, 3, 5.0), saga_at(story, 1, 2, 6.0)]
    assert violations(story) == ["(15) saga 1 was shown in version 3 by GetSaga, and in 2 by GetSaga later"]


def test_a_history_that_leaves_out_a_line_is_named() -> None:
    story = good()
    history = ((1, "STARTED"), (3, "STEP_DONE"))
    story.evidence.sagas_seen.append(replace(saga_at(story, 1, 3, 5.0), history=history))
    assert any("was shown with the history" in text for text in violations(story))


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ((3, 2), "leaves out [1]"),
        ((1, 2, 3), "is not in descending order"),
        ((3, 2, 2, 1), "is not in descending order"),
        ((4, 3, 2, 1), "shows [4], which are another user's"),
    ],
)
def test_a_list_that_is_not_the_users_orders_is_named(ids: tuple[int, ...], text: str) -> None:
    story = good()
    story.completed(4)
    story.rows.orders[4] = replace(story.rows.orders[4], content=replace(story.rows.orders[4].content, user_id=8))
    story.evidence.creates.pop()
    story.evidence.lists.append(OrderList(7, ids, ENDED, ENDED))
    assert f"(15) ListOrders of user 7 {text}" in violations(story)


def test_a_list_may_leave_out_what_was_acknowledged_only_afterwards() -> None:
    story = good()
    story.evidence.creates[2] = replace(story.evidence.creates[2], began=5.0, ended=6.0)
    story.evidence.lists.append(OrderList(7, (2, 1), 5.5, 5.6))
    assert violations(story) == []


def watch(story: Story, *views: OrderView, code: str = "OK", began: float = 1.0, ended: float = ENDED) -> None:
    order_id = views[0].order_id if views else 1
    shown = tuple(replace(view, began=began) for view in views)
    story.evidence.order_watches.append(OrderWatch(order_id, shown, code, began, ended))


def test_a_watch_that_goes_forward_to_the_end_is_right() -> None:
    story = good()
    watch(story, pending(story, 1, 5.0), final(story, 1))
    watch(story, final(story, 3))
    watch(story, pending(story, 1, 5.0), code="UNAVAILABLE", ended=6.0)
    assert violations(story) == []


def test_a_watch_that_goes_back_is_named() -> None:
    story = good()
    watch(story, final(story, 1, 5.0), pending(story, 1, 6.0), code="UNAVAILABLE")
    assert any(text.startswith("(16)") and "was COMPLETED and is PENDING later" in text for text in violations(story))


def test_a_watch_that_begins_with_what_is_no_more_is_named() -> None:
    story = good()
    story.evidence.orders_seen.append(final(story, 1))
    watch(story, pending(story, 1, ENDED + 2), final(story, 1, ENDED + 3), began=ENDED + 1, ended=ENDED + 3)
    assert any(text.startswith("(16)") and "began with what was no more" in text for text in violations(story))


def test_a_watch_that_ends_before_its_order_is_named() -> None:
    story = good()
    watch(story, pending(story, 1, 5.0))
    assert violations(story) == ["(16) the watch of order 1 from 1.0 s ended before its order"]


def test_a_watch_that_misses_the_end_is_named() -> None:
    story = good()
    watch(story, pending(story, 1, 5.0), code="DEADLINE_EXCEEDED", ended=30.0)
    (violation,) = violations(story)
    assert violation.startswith("(16) the watch of order 1 from 1.0 s missed that the order was COMPLETED at 10.0 s")


def test_a_watch_may_miss_the_end_for_as_long_as_a_fault_keeps_it_from_it() -> None:
    story = good()
    watch(story, pending(story, 1, 5.0), code="DEADLINE_EXCEEDED", ended=30.0)
    story.evidence.faults.append(FaultWindow("freeze-order_svc", frozenset({"order_svc"}), 9.0, 20.0))
    assert violations(story) == []


def sagas_watched(story: Story, *views: SagaView, began: float = 1.0, ended: float = ENDED) -> None:
    shown = tuple(replace(view, began=began, name="WatchSagas") for view in views)
    story.evidence.saga_watches.append(SagaWatch(shown, "UNAVAILABLE", began, ended))


def test_a_watch_of_sagas_that_goes_forward_is_right() -> None:
    story = good()
    sagas_watched(story, saga_at(story, 1, 1, 5.0), saga_at(story, 2, 3, 5.0), saga_at(story, 1, 3, 6.0), ended=60.0)
    assert violations(story) == []


def test_a_watch_of_sagas_that_goes_back_is_named() -> None:
    story = good()
    sagas_watched(story, saga_at(story, 1, 3, 5.0), saga_at(story, 1, 2, 6.0))
    assert any("saga 1 was shown in version 3, and then in 2" in text for text in violations(story))


def test_a_watch_of_sagas_that_misses_an_end_and_shows_others_long_after_it_is_named() -> None:
    story = good()
    sagas_watched(story, saga_at(story, 1, 2, 5.0), saga_at(story, 2, 3, 45.0), ended=60.0)
    (violation,) = violations(story)
    assert violation.startswith("(16) the watch of sagas from 1.0 s missed that saga 1 ended at 10.0 s")


def test_a_watch_of_sagas_that_was_silent_since_may_not_have_had_its_turn() -> None:
    story = good()
    sagas_watched(story, saga_at(story, 1, 2, 5.0), ended=60.0)
    assert violations(story) == []


def test_a_history_may_be_read_a_moment_after_its_saga() -> None:
    story = good()
    history = ((1, "STARTED"), (2, "STEP_DONE"), (3, "STEP_DONE"))
    story.evidence.sagas_seen.append(replace(saga_at(story, 1, 2, 5.0), history=history))
    assert violations(story) == []


def test_a_watch_of_sagas_that_begins_with_what_is_no_more_is_named() -> None:
    story = good()
    story.evidence.sagas_seen.append(saga_at(story, 1, 3, 4.0))
    sagas_watched(story, saga_at(story, 1, 2, 6.0), saga_at(story, 1, 3, 7.0), began=5.0)
    assert any("began with saga 1 in version 2, which had been in 3" in text for text in violations(story))


def test_a_watch_that_lasted_while_its_database_went_back_is_not_judged() -> None:
    story = good()
    watch(story, final(story, 1, 5.0), pending(story, 1, 6.0), code="UNAVAILABLE")
    sagas_watched(story, saga_at(story, 1, 3, 5.0), saga_at(story, 1, 2, 6.0))
    story.evidence.went_back += [WentBack(service, 4.0, 5.5) for service in ("order_svc", "orchestrator_svc")]
    assert violations(story) == []


def test_a_watch_may_begin_with_less_than_what_a_database_has_forgotten_since() -> None:
    story = good()
    story.evidence.orders_seen.append(final(story, 1, 4.0))
    story.evidence.sagas_seen.append(saga_at(story, 1, 3, 4.0))
    watch(story, pending(story, 1, 6.0), final(story, 1, 7.0), began=5.0, ended=7.0)
    sagas_watched(story, saga_at(story, 1, 2, 6.0), saga_at(story, 1, 3, 7.0), began=5.0)
    assert {text[:4] for text in violations(story)} == {"(15)", "(16)"}
    story.evidence.went_back += [WentBack(service, 3.0, 4.5) for service in ("order_svc", "orchestrator_svc")]
    assert violations(story) == []
