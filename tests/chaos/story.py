"""Evidence made by hand: a small run in which everything is as it should be, for the checker's tests to spoil."""

import itertools
from dataclasses import replace

from tests.chaos.evidence import (
    READERS,
    CancelCall,
    Content,
    CreateCall,
    DeadLetter,
    DeliveryRow,
    Evidence,
    MovementRow,
    OffsetSample,
    OrderRow,
    OutboxRow,
    Outcome,
    Place,
    Record,
    RestockCall,
    RestockRow,
    SagaEvent,
    SagaRow,
    StockSample,
)

PRODUCT, PRICE = 1, 500
TAKE, DELIVER = "decrease-product", "create-delivery"


class Story:
    """A run, composed order by order."""

    def __init__(self) -> None:
        """Begin with a product of which there are 10."""
        self.evidence = Evidence(initial_stock={PRODUCT: 10})
        self.rows = self.evidence.rows
        self.rows.stock[PRODUCT] = 10
        self.rows.restocks.append(RestockRow(PRODUCT, 10, None))
        self.rows.prices[PRODUCT] = PRICE
        self._offsets = {topic: itertools.count() for topic in READERS}
        self._times = itertools.count(10_000_000, 1000)
        self._ids = itertools.count(1)

    def time(self) -> int:
        """Return the time of a row that is written now: a millisecond after the one before."""
        return next(self._times)

    def second(self) -> float:
        """Return the second of the recording that it is now."""
        return self.evidence.second(self.time())

    def record(self, topic: str, kind: str, cause: Record | None = None, /, **fields: object) -> Record:
        """Write a record."""
        headers = {"message-id": f"m{next(self._ids)}".encode(), "message-type": f"ordersaga.messages.{kind}".encode()}
        if cause:
            headers["causation-id"] = cause.message_id.encode()
        place = Place(topic, 0, next(self._offsets[topic]))
        key = str(fields.get("order_id", "")).encode()
        written = Record(place, key, b"\0bytes", headers, kind, fields, self.second())
        self.evidence.records.append(written)
        return written

    def accepted(self, order_id: int, quantity: int = 2, address: str = "Main Street 1") -> Record:
        """Accept an order; return its ``OrderCreated``."""
        content = Content(7, PRODUCT, quantity, PRICE, address)
        call = CreateCall(f"r{order_id}", content, Outcome.ACKNOWLEDGED, order_id, content)
        self.evidence.creates.append(call)
        made = order_id * 1_000_000
        self.rows.orders[order_id] = OrderRow(order_id, content, "PENDING", None, call.request_id, made, made)
        created = self.record("order-created", "OrderCreated", **start_of(order_id, content))
        self.evidence.outbox.append(OutboxRow(created.message_id, "order-created"))
        begun = self.time()
        start = start_of(order_id, content)
        self.rows.sagas[order_id] = SagaRow(order_id, start, "RUNNING", TAKE, create_time=begun, update_time=begun)
        self.event(order_id, "STARTED", cause=created)
        return created

    def event(
        self, order_id: int, kind: str, step: str | None = None, reason: str | None = None, cause: Record | None = None
    ) -> None:
        """Append to a saga's history."""
        version = 1 + sum(event.order_id == order_id for event in self.rows.events)
        message_id, time = cause.message_id if cause else "", self.time()
        self.rows.events.append(SagaEvent(order_id, version, kind, step, reason, message_id, time))
        self.rows.sagas[order_id] = replace(self.rows.sagas[order_id], version=version, update_time=time)

    def taken(self, order_id: int, cause: Record) -> Record:
        """Take its stock; return the reply."""
        content = self.rows.orders[order_id].content
        command = self.record(
            "decrease-product-command", "DecreaseProductCommand", cause,
            order_id=order_id, product_id=PRODUCT, quantity=content.quantity, price=PRICE,
        )  # fmt: skip
        now = self.time()
        self.rows.movements[order_id] = MovementRow(order_id, PRODUCT, content.quantity, PRICE, None, False, now, now)
        self.rows.stock[PRODUCT] -= content.quantity
        reply = self.record("product-decreased", "ProductDecreased", command, order_id=order_id, success=True)
        self.event(order_id, "STEP_DONE", TAKE, cause=reply)
        return reply

    def delivered(self, order_id: int, cause: Record, *, refusal: str | None = None) -> Record:
        """Ask for its delivery, which is scheduled, or refused for the reason ``refusal``; return the reply."""
        content = self.rows.orders[order_id].content
        where = {"user_id": content.user_id, "address": content.address}
        command = self.record("create-delivery-command", "CreateDeliveryCommand", cause, order_id=order_id, **where)
        status, now = "REFUSED" if refusal else "SCHEDULED", self.time()
        self.rows.deliveries[order_id] = DeliveryRow(
            order_id, content.user_id, content.address, status, refusal, now, now
        )
        return self.record("delivery-created", "DeliveryCreated", command, order_id=order_id, success=not refusal)

    def completed(self, order_id: int, quantity: int = 2) -> None:
        """Add the whole story of an order that is completed."""
        reply = self.taken(order_id, self.accepted(order_id, quantity))
        done = self.delivered(order_id, reply)
        self.event(order_id, "STEP_DONE", DELIVER, cause=done)
        self.ended(order_id, "COMPLETED", done)

    def refused(self, order_id: int, reason: str = "UNDELIVERABLE_ADDRESS") -> None:
        """Add the whole story of an order whose delivery is refused, and whose pieces go back."""
        reply = self.taken(order_id, self.accepted(order_id, address="P.O. Box 42"))
        no = self.delivered(order_id, reply, refusal=reason)
        self.event(order_id, "STEP_REFUSED", DELIVER, reason, cause=no)
        pieces = {"product_id": PRODUCT, "quantity": self.rows.orders[order_id].content.quantity}
        undo = self.record("decrease-product-command", "IncreaseProductCommand", no, order_id=order_id, **pieces)
        self.returned(order_id)
        undone = self.record("product-decreased", "ProductIncreased", undo, order_id=order_id)
        self.event(order_id, "STEP_UNDONE", TAKE, cause=undone)
        self.ended(order_id, "COMPENSATED", undone, reason)

    def cancelled(self, order_id: int) -> None:
        """Add the whole story of an order whose cancel is asked for and comes in time, before anything was done."""
        self.accepted(order_id)
        self.asked_to_cancel(order_id)
        content = self.rows.orders[order_id].content
        request = self.record("order-created", "OrderCancelRequested", **start_of(order_id, content))
        self.event(order_id, "CANCEL_ACCEPTED", None, "user 7: ", cause=request)
        undone = self.undelivered(order_id, request)
        pieces = {"product_id": PRODUCT, "quantity": content.quantity}
        undo = self.record("decrease-product-command", "IncreaseProductCommand", undone, order_id=order_id, **pieces)
        now = self.time()
        self.rows.movements[order_id] = MovementRow(
            order_id, PRODUCT, content.quantity, None, "UNDONE", undone=True, create_time=now, update_time=now
        )
        reply = self.record("product-decreased", "ProductIncreased", undo, order_id=order_id)
        self.event(order_id, "STEP_UNDONE", TAKE, cause=reply)
        self.ended(order_id, "COMPENSATED", reply, "CANCEL_REQUESTED")

    def asked_to_cancel(self, order_id: int) -> None:
        """Acknowledge that an order is to be cancelled."""
        self.evidence.cancels.append(CancelCall(order_id, Outcome.ACKNOWLEDGED))
        now = self.time()
        self.rows.orders[order_id] = replace(self.rows.orders[order_id], cancel_time=now, update_time=now)

    def undelivered(self, order_id: int, cause: Record) -> Record:
        """Undo a delivery that nobody has heard of; return the reply."""
        content = self.rows.orders[order_id].content
        where = {"user_id": content.user_id, "address": content.address}
        command = self.record("create-delivery-command", "CancelDeliveryCommand", cause, order_id=order_id, **where)
        now = self.time()
        self.rows.deliveries[order_id] = DeliveryRow(
            order_id, content.user_id, content.address, "CANCELLED", "UNDONE", now, now
        )
        undone = self.record("delivery-created", "DeliveryCancelled", command, order_id=order_id)
        self.event(order_id, "STEP_UNDONE", DELIVER, cause=undone)
        return undone

    def not_taken(self, order_id: int, content: Content, reason: str) -> None:
        """Refuse an order its pieces."""
        now = self.time()
        self.rows.movements[order_id] = MovementRow(
            order_id, content.product_id, content.quantity, content.price, reason, create_time=now, update_time=now
        )

    def returned(self, order_id: int) -> None:
        """Give the pieces of an order back."""
        movement = self.rows.movements[order_id]
        self.rows.movements[order_id] = replace(movement, undone=True, update_time=self.time())
        self.rows.stock[PRODUCT] += movement.quantity

    def ended(self, order_id: int, status: str, cause: Record, reason: str | None = None) -> None:
        """End a saga and its order."""
        saga = replace(self.rows.sagas[order_id], status=status, step=None, reason=reason)
        self.rows.sagas[order_id] = saga
        kind = "CompleteOrderCommand" if status == "COMPLETED" else "CancelOrderCommand"
        fields = {"reason": reason} if reason else {}
        self.record("complete-order-command", kind, cause, order_id=order_id, **fields)
        final = "COMPLETED" if status == "COMPLETED" else "CANCELLED"
        self.rows.orders[order_id] = replace(
            self.rows.orders[order_id], status=final, cancel_reason=reason, update_time=self.time()
        )

    def restocked(self, pieces: int) -> None:
        """Add to the stock."""
        self.evidence.restocks.append(RestockCall(PRODUCT, pieces, "again", Outcome.ACKNOWLEDGED))
        self.rows.restocks.append(RestockRow(PRODUCT, pieces, "again"))
        self.rows.stock[PRODUCT] += pieces
        self.evidence.stock.append(StockSample(1.0, PRODUCT, self.rows.stock[PRODUCT]))

    def sampled(self) -> None:
        """Sample every group's offsets at the end of its topics."""
        for group in sorted(set(READERS.values())):
            ends = {
                (r.place.topic, 0, 0): r.place.offset + 1
                for r in self.evidence.records
                if READERS[r.place.topic] == group
            }
            self.evidence.offsets.append(OffsetSample(group, 1.0, ends, self.rows))

    def parked(self, record: Record, reason: str) -> None:
        """Park a record, as the documents say."""
        place = record.place
        name = f"{place.topic}-{place.partition}-{place.offset}@0123456789ab"
        if reason == "REUSED_ID":
            name = f"{place.topic}-repeated-{'0' * 32}-round-1"
        added = {
            "dead-letter-topic": place.topic,
            "dead-letter-partition": str(place.partition),
            "dead-letter-offset": str(place.offset),
            "dead-letter-reason": reason,
            "dead-letter-error": "it cannot be handled",
            "dead-letter-time": "2026-01-01T00:00:00+00:00",
            "dead-letter-round": "1",
        }
        headers = {**record.headers, **{header: value.encode() for header, value in added.items()}}
        if record.key is not None:
            headers["dead-letter-key"] = record.key
        if record.value is None:
            headers["dead-letter-null-value"] = b"true"
        source = (place.topic, place.partition, place.offset)
        self.evidence.dead_letters.append(
            DeadLetter(READERS[place.topic], *source, record.value or b"", headers, reason, name.encode())
        )


def start_of(order_id: int, content: Content) -> dict[str, object]:
    """Return the fields of an order's start."""
    return {
        "order_id": order_id,
        "user_id": content.user_id,
        "product_id": content.product_id,
        "quantity": content.quantity,
        "price": content.price,
        "address": content.address,
        "create_time": order_id * 1_000_000,
    }


def good() -> Story:
    """Return a run of two completed orders, one refused and one restock, sampled at its end."""
    story = Story()
    story.completed(1)
    story.completed(2)
    story.refused(3)
    story.restocked(5)
    story.sampled()
    return story
