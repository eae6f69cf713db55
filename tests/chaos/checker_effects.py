"""Invariants (7) and (8): every record has its effect, or a dead letter, and has it before its offset is committed."""

from collections.abc import Callable, Iterator, Mapping

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.evidence import READERS, Record, Rows

REUSED = "another order has this id"
_START = ("order_id", "user_id", "product_id", "quantity", "price", "address", "create_time")


def _started(record: Record, rows: Rows) -> str | None:
    saga = rows.sagas.get(record.order_id)
    if saga is None:
        return "there is no saga"
    same = all(record.fields.get(name) == saga.start.get(name) for name in _START)
    return None if same else REUSED


def _taken(record: Record, rows: Rows) -> str | None:
    movement = rows.movements.get(record.order_id)
    if movement is None:
        return "there is no movement"
    same = (movement.product_id, movement.quantity) == (record.fields["product_id"], record.fields["quantity"])
    same_price = movement.price is None or movement.price == record.fields.get("price", movement.price)
    return None if same and same_price else REUSED


def _given_back(record: Record, rows: Rows) -> str | None:
    problem = _taken(record, rows)
    return problem or ("the pieces are still held" if rows.movements[record.order_id].held else None)


def _delivered(record: Record, rows: Rows) -> str | None:
    delivery = rows.deliveries.get(record.order_id)
    if delivery is None:
        return "there is no delivery"
    same = (delivery.user_id, delivery.address) == (record.fields["user_id"], record.fields["address"])
    return None if same else REUSED


def _not_delivered(record: Record, rows: Rows) -> str | None:
    problem = _delivered(record, rows)
    return problem or ("it is to be delivered" if rows.deliveries[record.order_id].status == "SCHEDULED" else None)


def _moved_on(*waiting: tuple[str, str]) -> Callable[[Record, Rows], str | None]:
    """Return the check that a reply's saga does not wait for that very reply any more."""

    def check(record: Record, rows: Rows) -> str | None:
        saga = rows.sagas.get(record.order_id)
        if saga is None:
            return "there is no saga"
        stands = (saga.status, saga.step or "")
        return f"the saga is still {stands}" if stands in waiting else None

    return check


def _ended(status: str) -> Callable[[Record, Rows], str | None]:
    def check(record: Record, rows: Rows) -> str | None:
        order = rows.orders.get(record.order_id)
        if order is None:
            return "there is no order"
        return None if order.status == status else f"the order is {order.status}"

    return check


_BEGUN = (("RUNNING", "decrease-product"),)
EFFECTS: Mapping[str, Callable[[Record, Rows], str | None]] = {
    "OrderCreated": _started,
    "OrderCancelRequested": _started,
    "DecreaseProductCommand": _taken,
    "IncreaseProductCommand": _given_back,
    "ProductDecreased": _moved_on(*_BEGUN),
    "ProductIncreased": _moved_on(*_BEGUN, ("COMPENSATING", "decrease-product")),
    "CreateDeliveryCommand": _delivered,
    "CancelDeliveryCommand": _not_delivered,
    "DeliveryCreated": _moved_on(*_BEGUN, ("RUNNING", "create-delivery")),
    "DeliveryCancelled": _moved_on(*_BEGUN, ("RUNNING", "create-delivery"), ("COMPENSATING", "create-delivery")),
    "CompleteOrderCommand": _ended("COMPLETED"),
    "CancelOrderCommand": _ended("CANCELLED"),
}
"""By record type: what is missing of its effect in the reader's rows, or None where the effect is there."""


def missing(case: Case, record: Record, rows: Rows) -> str | None:
    """Return what ``record`` should have brought about and has not in ``rows``; None where all is well."""
    if case.letter(record) is not None:
        return None
    if record.type not in EFFECTS:
        return None if case.gone(record) else "it cannot be decoded"
    if record.type in {"CompleteOrderCommand", "CancelOrderCommand"} and record.order_id in case.removed:
        return None  # the order that it meant is gone
    if record.type == "CompleteOrderCommand" and case.undone_before(record.order_id):
        return None
    return EFFECTS[record.type](record, rows)


def every_record_has_its_effect(case: Case) -> Iterator[Violation]:
    """(8) Every record of the six topics has its effect or a dead letter."""
    caused = {record.causation_id: record for record in case.evidence.records if record.causation_id}
    for record in case.evidence.records:
        problem = missing(case, record, case.rows)
        if problem is not None and not _still_open(case, record):
            yield Violation(8, f"{record.type or 'a record'} of order {record.order_id} at {record.place}: {problem}")
        yield from _never_answered(case, record, caused)
    groups = {letter.topic: letter.group for letter in case.evidence.dead_letters}
    for topic, group in groups.items():
        if READERS.get(topic, group) != group:
            yield Violation(8, f"a record of {topic} was parked by {group}, which does not read it")


def _still_open(case: Case, record: Record) -> bool:
    """Say whether a record waits with its order, which (1) reports already, or was lost with its topic."""
    order = case.orders.get(record.order_id)
    return case.gone(record) or (order is not None and order.status not in FINAL and record.type != "OrderCreated")


def _never_answered(case: Case, record: Record, caused: Mapping[str, Record]) -> Iterator[Violation]:
    if record.type not in {"OrderCreated", "OrderCancelRequested"} or case.forged(record):
        return
    if case.rows.sagas.get(record.order_id) is None or _started(record, case.rows) is None:
        return
    letter = case.letter(record)
    if letter is not None and letter.reason != "REUSED_ID":
        yield Violation(8, f"{record.type} at {record.place} reuses an order's id and was parked as {letter.reason}")
    answer = caused.get(record.message_id)
    if answer is not None:
        yield Violation(8, f"{record.type} at {record.place} reuses an order's id and was answered at {answer.place}")


def offsets_follow_effects(case: Case) -> Iterator[Violation]:
    """(7) A committed offset is never ahead of the durable effect."""
    by_partition: dict[tuple[str, int, int], list[Record]] = {}
    for record in sorted(case.evidence.records, key=lambda record: record.place.offset):
        place = record.place
        by_partition.setdefault((place.topic, place.incarnation, place.partition), []).append(record)
    reached: dict[tuple[str, int, int], int] = {}
    backs = [(back.service, back.time) for back in case.evidence.went_back]
    for sample in case.evidence.offsets:
        # What is committed by then is read again, if it is forgotten; (8) checks whether it has its effect at last.
        forgetful = [back for back in backs if back[0] == sample.group and back[1] <= sample.time]
        backs = [back for back in backs if back not in forgetful]
        for partition, committed in sample.committed.items():
            if READERS.get(partition[0]) != sample.group:
                continue
            records, begin = by_partition.get(partition, []), reached.get(partition, 0)
            end = begin
            while end < len(records) and records[end].place.offset < committed:
                end += 1
            reached[partition] = end  # rows only grow: what was there once is there later
            for record in records[begin:end] if not forgetful else ():
                problem = missing(case, record, sample.rows)
                if problem is not None:
                    text = f"{sample.group} had committed {committed}, past {record.place} ({record.type} of order"
                    yield Violation(7, f"{text} {record.order_id}): {problem}")
