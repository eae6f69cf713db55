"""The checker on handling: what heals is right where a fault explains it, and named where none does."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.checker_common import Case
from tests.chaos.checker_handling import Kind, healings
from tests.chaos.evidence import FaultWindow, OutboxRow, Record, Remade, WentBack
from tests.chaos.story import DELIVER, PRODUCT, TAKE, Story, good, start_of


def sent_again(story: Story) -> Record:
    """A timer sends a command again, which product_svc answers as before."""
    command = story.record(
        "decrease-product-command", "DecreaseProductCommand", order_id=1, product_id=PRODUCT, quantity=2, price=500
    )
    story.record("product-decreased", "ProductDecreased", command, order_id=1, success=True)
    return command


def announced_again(story: Story) -> Record:
    return story.record("order-created", "OrderCreated", **start_of(1, story.rows.orders[1].content))


def left_to_the_relay(story: Story) -> Record:
    created = story.evidence.records[0]
    story.evidence.outbox.append(OutboxRow(created.message_id, "order-created", created.seen + 3.0, created.seen))
    return replace(created, seen=created.seen + 3.0)


def handled_again(story: Story) -> Record:
    """product_svc handles a command twice, and answers it twice."""
    command = next(record for record in story.evidence.records if record.type == "DecreaseProductCommand")
    return story.record("product-decreased", "ProductDecreased", command, order_id=1, success=True)


HEALING = {
    Kind.SENT: sent_again,
    Kind.ANNOUNCED: announced_again,
    Kind.RELAYED: left_to_the_relay,
    Kind.ANSWERED: handled_again,
}
Heal = Callable[[Story], Record]
EACH = pytest.mark.parametrize(("kind", "heal"), HEALING.items(), ids=[heal.__name__ for heal in HEALING.values()])


def violations(story: Story) -> list[str]:
    return [str(violation) for violation in check(story.evidence)]


def window(record: Record, kind: str = "kill-product_svc", *parts: str) -> FaultWindow:
    """A fault that was healed a second before ``record``."""
    return FaultWindow(kind, frozenset(parts or {"product_svc", "kafka"}), record.seen - 3, record.seen - 1)


@EACH
def test_what_heals_without_a_fault_is_named(kind: Kind, heal: Heal) -> None:
    story = good()
    heal(story)
    (violation,) = violations(story)
    assert violation.startswith(f"(12) {kind}, ")
    assert violation.endswith("and no fault explains it")


@EACH
def test_what_heals_soon_after_a_fault_is_right_and_the_fault_is_named(kind: Kind, heal: Heal) -> None:
    story = good()
    story.evidence.faults.append(window(heal(story)))
    assert violations(story) == []
    assert [(one.kind, one.faults) for one in healings(Case(story.evidence))] == [(kind, ("kill-product_svc",))]


@EACH
def test_what_heals_long_after_a_fault_is_named(kind: Kind, heal: Heal) -> None:
    story = good()
    healed = window(heal(story))
    story.evidence.faults.append(replace(healed, began=healed.began - 60, ended=healed.ended - 60))
    assert [text.partition(",")[0] for text in violations(story)] == [f"(12) {kind}"]


@EACH
def test_what_heals_before_a_fault_is_named(kind: Kind, heal: Heal) -> None:
    story = good()
    later = heal(story).seen + 1
    story.evidence.faults.append(FaultWindow("kill-kafka", frozenset({"kafka"}), later, later + 5))
    assert [text.partition(",")[0] for text in violations(story)] == [f"(12) {kind}"]


@pytest.mark.parametrize("kind", ["read-only", "refusing", "altered", "clock-back"])
def test_a_database_that_refuses_has_nobody_answer_twice(kind: str) -> None:
    story = good()
    story.evidence.faults.append(window(handled_again(story), kind, "postgres"))
    assert [text.partition(",")[0] for text in violations(story)] == ["(12) message handled again"]


def test_a_fault_of_one_service_has_no_other_one_answer_twice() -> None:
    story = good()
    story.evidence.faults.append(window(handled_again(story), "kill-delivery_svc", "delivery_svc"))
    assert [text.partition(",")[0] for text in violations(story)] == ["(12) message handled again"]


def test_a_command_that_an_operator_had_sent_again_needs_no_fault_and_a_second_one_does() -> None:
    story = good()
    story.event(1, "RETRIED", None, "ann: look again")
    sent_again(story)
    assert violations(story) == []
    sent_again(story)
    assert [text.partition(",")[0] for text in violations(story)] == ["(12) command sent again by time"]


def test_what_a_stranger_writes_again_is_nobodys_healing() -> None:
    story = good()
    again = story.evidence.records[0]
    story.evidence.records.append(replace(again, place=replace(again.place, offset=99), seen=again.seen + 50))
    forged = sent_again(story)
    story.evidence.records.pop()
    story.evidence.forged.add(forged.message_id)
    story.parked(forged, "OUT_OF_RANGE")
    assert violations(story) == []


def test_a_database_that_went_back_explains_that_all_is_handled_again() -> None:
    story = good()
    again = handled_again(story)
    story.evidence.went_back.append(WentBack("product_svc", again.seen - 5, again.seen - 1))
    assert violations(story) == []


def test_a_saga_that_learns_of_an_undo_it_has_forgotten_is_undone() -> None:
    story = good()
    reply = story.taken(4, story.accepted(4))
    pieces = {"product_id": PRODUCT, "quantity": 2}
    forgotten = story.record("decrease-product-command", "IncreaseProductCommand", reply, order_id=4, **pieces)
    undone = story.record("product-decreased", "ProductIncreased", forgotten, order_id=4)
    story.event(4, "STEP_UNDONE", TAKE, "UNDONE", cause=undone)
    story.undelivered(4, undone)
    story.returned(4)
    story.event(4, "STEP_UNDONE", TAKE, cause=undone)
    story.ended(4, "COMPENSATED", undone, "UNDONE")
    assert any("STEP_UNDONE decrease-product" in text for text in violations(story))
    story.evidence.went_back.append(WentBack("orchestrator_svc", 1.0, 2.0))
    assert violations(story) == []


def test_a_topic_that_is_made_anew_explains_what_heals_by_its_window_alone() -> None:
    story = good()
    sent_again(story)
    story.evidence.remade.append(Remade(1.0, "product-decreased"))
    assert [text.partition(",")[0] for text in violations(story)] == ["(12) command sent again by time"]


def test_a_delivery_step_is_undone_first_where_a_cancel_is_accepted() -> None:
    story = good()
    story.cancelled(5)
    assert violations(story) == []
    assert [event.step for event in story.rows.events if event.order_id == 5] == [None, None, DELIVER, TAKE]
