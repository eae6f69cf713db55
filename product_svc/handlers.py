"""Kafka handlers: the saga's commands that take stock for an order and give it back."""

from collections.abc import Sequence

from ordersaga.messages import DecreaseProductCommand, IncreaseProductCommand, ProductDecreased, ProductIncreased
from prometheus_client import Counter

from product_svc import store
from product_svc.stock import (
    OUT_OF_STOCK,
    PRICE_CHANGED,
    UNDONE,
    UNKNOWN_PRODUCT,
    Movement,
    Shelf,
    Wanted,
    allocate,
    tombstone,
)
from sagakit.consumer.dispatch import handles
from sagakit.errors import Repeated
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.runtime.metrics import begin_at_zero, tally

_ANSWERED = Counter(
    "ordersaga_decreases_answered_total",
    "Commands to take stock, repeats included, by their answer; UNDONE came after its own undo.",
    ["answer"],
)
begin_at_zero(_ANSWERED, ("taken", OUT_OF_STOCK, PRICE_CHANGED, UNKNOWN_PRODUCT, UNDONE))


@handles(DecreaseProductCommand)
def decrease_product(commands: Sequence[DecreaseProductCommand], pipeline: Pipeline) -> list[ProductDecreased]:
    """Take stock for each order once, and answer every command, new or repeated, with what is stored."""
    wanted = [Wanted(c.order_id, c.product_id, c.quantity, c.price) for c in commands]
    taken = store.take(pipeline, wanted)
    pipeline.commit()  # who got their pieces comes with it; to read that before would cost a round trip more
    answers: dict[int, str | None] = dict.fromkeys(taken())
    others = [one for one in wanted if one.order_id not in answers]
    if others:
        answers |= {movement.order_id: movement.answer for movement in _allocated(pipeline, others)}
    tally(_ANSWERED, (answer or "taken" for answer in answers.values()))
    return [
        ProductDecreased(order_id=one.order_id, success=answers[one.order_id] is None, reason=answers[one.order_id])
        for one in wanted
    ]


@handles(IncreaseProductCommand)
def increase_product(commands: Sequence[IncreaseProductCommand], tx: Transaction) -> list[ProductIncreased]:
    """Give back what each order holds, once; an unknown order gets a tombstone, which refuses a later decrease."""
    wanted = [Wanted(c.order_id, c.product_id, c.quantity, None) for c in commands]
    _, movements = _lock(tx, wanted)
    store.add_movements(tx, [tombstone(one) for one in wanted if one.order_id not in movements])
    store.undo_movements(tx, [movement for movement in movements.values() if not movement.undone])
    return [ProductIncreased(order_id=one.order_id) for one in wanted]


def _allocated(tx: Transaction, wanted: Sequence[Wanted]) -> list[Movement]:
    """Return each order's movement: the stored one, or a new one."""
    shelves, movements = _lock(tx, wanted)
    new = allocate([one for one in wanted if one.order_id not in movements], shelves)
    store.add_movements(tx, new)
    return [*movements.values(), *new]


def _lock(tx: Transaction, wanted: Sequence[Wanted]) -> tuple[dict[int, Shelf], dict[int, Movement]]:
    shelves, movements = store.lock(tx, (one.product_id for one in wanted), (one.order_id for one in wanted))
    for one in wanted:
        movement = movements.get(one.order_id)
        if movement is not None and not movement.is_for(one):
            raise Repeated("REUSED_ID", f"order {one.order_id} moved other stock before")
    return shelves, movements
