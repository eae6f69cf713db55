"""Invariant (13): each refusal is true. What the shop could sell is reconstructed from the tables."""

import re
import unicodedata
from collections.abc import Iterator

from tests.chaos.checker_common import Case, Violation
from tests.chaos.evidence import DeliveryRow, MovementRow, OrderRow

_MARGIN = 15_000_000
"""Microseconds. A row has the time at which its transaction began, and that may have stood still before the row."""
_BOX = re.compile(
    r"pobox|pob\d|postofficebox|postbox|postfach|postbus|postboks|boitepostale|casellapostale|apartado(postal|decorreos)"
)
"""The names of a post-office box, with what may stand between their words left out."""


def refusals_are_justified(case: Case) -> Iterator[Violation]:
    """(13) Every refusal is justified by the stock, price, address, product or cancel that explains it."""
    for movement in case.rows.movements.values():
        problem = _movement(case, movement)
        if problem:
            yield Violation(13, f"order {movement.order_id} was refused its pieces as {movement.refusal}: {problem}")
    for delivery in case.rows.deliveries.values():
        problem = _delivery(case, delivery)
        if problem:
            yield Violation(13, f"order {delivery.order_id} was refused delivery as {delivery.refusal}: {problem}")
    for order in case.rows.orders.values():
        if order.status == "CANCELLED" and order.order_id not in case.removed and not _explained(case, order):
            yield Violation(
                13, f"order {order.order_id} was cancelled as {order.cancel_reason}, which nothing explains"
            )


def _movement(case: Case, movement: MovementRow) -> str | None:
    """Return what speaks against a refusal of pieces; None where nothing does."""
    price = case.rows.prices.get(movement.product_id)
    match movement.refusal:
        case None:
            return None
        case "UNKNOWN_PRODUCT":
            return f"product {movement.product_id} is in the catalogue" if price is not None else None
        case "PRICE_CHANGED":
            return f"{movement.price} is its product's price" if movement.price == price else None
        case "OUT_OF_STOCK":
            left = _least_stock(case, movement)
            return (
                f"it wanted {movement.quantity}, and at least {left} were left" if left >= movement.quantity else None
            )
        case "UNDONE":
            return None if movement.undone else "it was never undone"
        case _:
            return "there is no such reason"


def _least_stock(case: Case, refused: MovementRow) -> int:
    """Return how many pieces were left when an order was refused, at least.

    What may have come in later counts as not yet there, and what may have gone later as gone.
    """
    before, after = refused.create_time - _MARGIN, refused.create_time + _MARGIN
    left = sum(
        row.quantity
        for row in case.rows.restocks
        if row.product_id == refused.product_id and (row.request_id is None or row.create_time <= before)
    )
    for row in case.rows.movements.values():
        if row.product_id == refused.product_id and row.refusal is None and row.create_time <= after:
            back = row.undone and row.update_time <= before
            left -= 0 if back else row.quantity
    return left


def _delivery(case: Case, delivery: DeliveryRow) -> str | None:
    match delivery.refusal:
        case None:
            return None
        case "UNDELIVERABLE_ADDRESS":
            return None if _is_box(delivery.address) else f"{delivery.address!r} is no post-office box"
        case "UNDONE":
            undone = any(r.type == "CancelDeliveryCommand" for r in case.records_of[delivery.order_id])
            lost = case.incarnation["create-delivery-command"]
            return None if undone or lost else "nobody wanted it undone"
        case _:
            return "there is no such reason"


def _is_box(address: str) -> bool:
    plain = unicodedata.normalize("NFKD", address).casefold()
    return _BOX.search("".join(one for one in plain if one.isalnum())) is not None


def _explained(case: Case, order: OrderRow) -> bool:
    events = {event.type for event in case.history[order.order_id]}
    match order.cancel_reason:
        case "TIMED_OUT":
            return "STEP_TIMED_OUT" in events or case.forgot_why(order.order_id)
        case "CANCEL_REQUESTED":
            asked = order.cancel_time is not None or _operator_asked(case, order.order_id)
            return asked and ("CANCEL_ACCEPTED" in events or case.forgot_why(order.order_id))
        case "UNDONE":  # a cancel that was decided and then forgotten
            return bool(case.evidence.went_back)
        case _:
            return _refused(case, order) or _refused_once(case, order)


def _refused(case: Case, order: OrderRow) -> bool:
    movement, delivery = case.rows.movements.get(order.order_id), case.rows.deliveries.get(order.order_id)
    return any(row is not None and row.refusal == order.cancel_reason for row in (movement, delivery))


def _refused_once(case: Case, order: OrderRow) -> bool:
    """Say whether a participant refused the order for its reason, and has forgotten it: only its answer shows that."""
    return any(
        record.type == kind and record.fields.get("reason") == order.cancel_reason and case.went_back(service)
        for record in case.records_of[order.order_id]
        for kind, service in (("ProductDecreased", "product_svc"), ("DeliveryCreated", "delivery_svc"))
    )


def _operator_asked(case: Case, order_id: int) -> bool:
    calls = case.evidence.saga_calls
    return any(call.order_id == order_id and call.name == "CancelSaga" and call.may_be_done for call in calls)
