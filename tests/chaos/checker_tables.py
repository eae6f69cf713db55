"""Invariants (2), (3) and (5): the tables of the services, each against the others'."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.evidence import OrderRow, Outcome


def the_stock_balances(case: Case) -> Iterator[Violation]:
    """(2) Initial stock + restocks = stock + completed decrements; never negative at any moment."""
    stocked = Counter(case.evidence.initial_stock)
    for row in case.rows.restocks:
        if row.request_id is not None:  # the others are what the products were created with
            stocked[row.product_id] += row.quantity
    held = [movement for movement in case.rows.movements.values() if movement.held]
    taken = _sum((movement.product_id, movement.quantity) for movement in held)
    ended = [order for order in case.orders.values() if order.status == "COMPLETED"]
    done = [order.content for order in ended if not case.taken_back(order.order_id)]
    completed = _sum((content.product_id, content.quantity) for content in done)
    pending = {o.content.product_id for o in case.orders.values() if o.status not in FINAL}
    for product in case.evidence.initial_stock:
        had, left = stocked[product], case.rows.stock.get(product, 0)
        said = f"product {product}: {had} came in, {left} are left"
        if had != left + taken[product]:
            yield Violation(2, f"{said}, {taken[product]} are held by orders")
        if had != left + completed[product] and product not in pending:
            yield Violation(2, f"{said}, {completed[product]} are in completed orders")
    for sample in case.evidence.stock:
        if sample.stock < 0:
            yield Violation(2, f"product {sample.product_id} had {sample.stock} pieces at {sample.time:.1f}")
    yield from _restocks(case)


def _sum(pieces: Iterable[tuple[int, int]]) -> Counter[int]:
    total = Counter[int]()
    for product, quantity in pieces:
        total[product] += quantity
    return total


def _restocks(case: Case) -> Iterator[Violation]:
    rows = Counter((row.request_id, row.product_id, row.quantity) for row in case.rows.restocks if row.request_id)
    asked = {(call.request_id, call.product_id, call.quantity) for call in case.evidence.restocks}
    for call in case.evidence.restocks:
        key = (call.request_id, call.product_id, call.quantity)
        forgotten = case.may_be_forgotten("product_svc", call.began, call.ended)
        if call.outcome is Outcome.ACKNOWLEDGED and rows[key] == 0 and not forgotten:
            yield Violation(2, f"the restock {call.request_id} was acknowledged and is not stored")
    for key, count in rows.items():
        if count > 1:
            yield Violation(2, f"the restock {key[0]} is stored {count} times")
        if key not in asked:
            yield Violation(2, f"the restock {key[0]} is stored, and nobody asked for it")


def orders_agree_with_their_effects(case: Case) -> Iterator[Violation]:
    """(3) COMPLETED: one delivery, one decrement. CANCELLED: no live delivery, no decrement."""
    orders = case.orders
    for order in orders.values():
        if order.status == "COMPLETED":
            yield from _completed(case, order)
        elif order.status == "CANCELLED":
            yield from _cancelled(case, order)
    for order_id, movement in case.rows.movements.items():
        if movement.held and order_id not in orders:
            yield Violation(3, f"{movement.quantity} pieces are held by order {order_id}, which does not exist")
    for order_id, delivery in case.rows.deliveries.items():
        if delivery.status == "SCHEDULED" and order_id not in orders:
            yield Violation(3, f"a delivery is scheduled for order {order_id}, which does not exist")


def _completed(case: Case, order: OrderRow) -> Iterator[Violation]:
    said = f"order {order.order_id} is COMPLETED"
    movement = case.rows.movements.get(order.order_id)
    if movement is not None and not movement.held and case.taken_back(order.order_id):
        pass
    elif movement is None or not movement.held:
        yield Violation(3, f"{said} without its pieces: {movement}")
    elif (movement.product_id, movement.quantity) != (order.content.product_id, order.content.quantity):
        yield Violation(3, f"{said} with other pieces than it ordered: {movement}")
    delivery = case.rows.deliveries.get(order.order_id)
    if delivery is None or delivery.status != "SCHEDULED":
        yield Violation(3, f"{said} without a delivery: {delivery}")
    elif (delivery.user_id, delivery.address) != (order.content.user_id, order.content.address):
        yield Violation(3, f"{said} with a delivery to somebody else: {delivery}")
    saga = case.rows.sagas.get(order.order_id)
    if saga is None or saga.status != "COMPLETED":
        yield Violation(3, f"{said}, its saga is {saga.status if saga else 'missing'}")


def _cancelled(case: Case, order: OrderRow) -> Iterator[Violation]:
    said = f"order {order.order_id} is CANCELLED ({order.cancel_reason})"
    movement, delivery = case.rows.movements.get(order.order_id), case.rows.deliveries.get(order.order_id)
    if movement is not None and movement.held:
        yield Violation(3, f"{said} and holds {movement.quantity} pieces")
    if delivery is not None and delivery.status == "SCHEDULED":
        yield Violation(3, f"{said} and has a live delivery")
    saga = case.rows.sagas.get(order.order_id)
    if (saga is None or saga.status != "COMPENSATED") and not case.undone_before(order.order_id):
        yield Violation(3, f"{said}, its saga is {saga.status if saga else 'missing'}")


def the_outbox_reaches_kafka(case: Case) -> Iterator[Violation]:
    """(5) Each outbox row reaches Kafka, and leaves the outbox; each order was announced."""
    for row in {row.message_id: row for row in case.evidence.outbox}.values():
        reached = any(record.place.topic == row.topic for record in case.by_message.get(row.message_id, ()))
        gone = case.remade_since(row.topic, row.seen) or case.may_be_forgotten("order_svc", row.seen, row.seen)
        if not reached and not gone:
            yield Violation(5, f"the outbox's message {row.message_id} never came to {row.topic}")
    for row in case.rows.outbox:
        yield Violation(5, f"the message {row.message_id} for {row.topic} is still in the outbox")
    announced = {r.order_id for r in case.evidence.records if r.type in {"OrderCreated", "OrderCancelRequested"}}
    for order_id in case.rows.orders:
        if order_id not in announced and not case.incarnation["order-created"]:
            yield Violation(5, f"order {order_id} was stored and never announced")
