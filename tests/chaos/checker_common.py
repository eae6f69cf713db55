"""What every part of the checker needs: a violation, and the evidence with what follows from it at once."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from tests.chaos.evidence import CreateCall, DeadLetter, Evidence, OrderRow, Record, SagaEvent

FINAL = ("COMPLETED", "CANCELLED")
_LATE_SECONDS = 60.0
"""A record may be read so long after it was written, where Kafka was away."""


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold, and what shows it."""

    invariant: int
    text: str

    def __str__(self) -> str:
        """Write it for a report."""
        return f"({self.invariant}) {self.text}"


class Case:
    """The evidence of one run, indexed."""

    def __init__(self, evidence: Evidence) -> None:
        """Index ``evidence``."""
        self.evidence, self.rows = evidence, evidence.rows
        self.removed = evidence.removed()
        """Orders whose rows were gone after a restore, by id. Whoever got such an id later is exempt from (1)."""
        self.orders: dict[int, OrderRow] = {**self.rows.orders, **self.removed}
        """The order that each id was given to first: the one whose effects there may be."""
        self.incarnation = Counter(remade.topic for remade in evidence.remade)
        """Of each topic, the number of its last incarnation."""
        self.history: dict[int, list[SagaEvent]] = defaultdict(list)
        """Each saga's events, the first one first."""
        for event in self.rows.events:
            self.history[event.order_id].append(event)
        self._letters: dict[tuple[str, int, int], list[DeadLetter]] = defaultdict(list)
        for letter in evidence.dead_letters:
            self._letters[letter.topic, letter.partition, letter.offset].append(letter)
        self.by_message: dict[str, list[Record]] = defaultdict(list)
        """Records by their message-id; whoever publishes twice keeps the id."""
        self.records_of: dict[int, list[Record]] = defaultdict(list)
        for record in evidence.records:
            self.by_message[record.message_id].append(record)
            self.records_of[record.order_id].append(record)
        self._announced = {r.order_id for r in evidence.records if r.type in {"OrderCreated", "OrderCancelRequested"}}

    def letter(self, record: Record) -> DeadLetter | None:
        """Return the dead letter of ``record``, if it was parked."""
        place = record.place
        found = self._letters[place.topic, place.partition, place.offset]
        return next((letter for letter in found if letter.is_of(record)), None)

    def forged(self, record: Record) -> bool:
        """Say whether no service wrote ``record``: what it says was never meant."""
        return record.message_id in self.evidence.forged

    def gone(self, record: Record) -> bool:
        """Say whether the record was lost with its topic."""
        return record.place.incarnation < self.incarnation[record.place.topic]

    def lost(self, order_id: int, call: CreateCall) -> bool:
        """Say whether an order is nowhere: its database forgot it, and it never reached Kafka."""
        return order_id not in self._announced and self.may_be_forgotten("order_svc", call.began, call.ended)

    def went_back(self, service: str) -> bool:
        """Say whether the database of ``service`` ever went back."""
        return any(back.service == service for back in self.evidence.went_back)

    def may_be_forgotten(self, service: str, began: float, ended: float) -> bool:
        """Say whether ``service`` may have forgotten what it did at some time from ``began`` to ``ended``."""
        return any(
            back.service == service and back.since <= ended and began <= back.time for back in self.evidence.went_back
        )

    def taken_back(self, order_id: int) -> bool:
        """Say whether an order is COMPLETED, and its pieces were given to others since product_svc forgot of them.

        Its saga is stuck then, and shows a person why.
        """
        saga = self.rows.sagas.get(order_id)
        return self.went_back("product_svc") and saga is not None and saga.status == "COMPLETED" and saga.stuck

    def undone_before(self, order_id: int) -> bool:
        """Say whether an order is CANCELLED, and its saga has forgotten that and come to another end since.

        Replies that had come behind a cancel may be read before it. The saga is stuck then: it shows a person what
        is undone.
        """
        saga, order = self.rows.sagas.get(order_id), self.orders.get(order_id)
        stuck = saga is not None and saga.status == "COMPLETED" and saga.stuck
        cancelled = order is not None and order.status == "CANCELLED"
        return self.went_back("orchestrator_svc") and stuck and cancelled

    def forgot_why(self, order_id: int) -> bool:
        """Say whether a saga commanded its order's cancel, and its database may have forgotten why.

        It learns of that again from a step that is undone, or from a refusal that had come behind the cancel and is
        read before it this time. So the saga may know another reason than the order.
        """
        order = self.orders.get(order_id)
        return order is not None and any(
            self.may_be_forgotten("orchestrator_svc", record.seen - _LATE_SECONDS, record.seen)
            for record in self.records_of[order_id]
            if record.type == "CancelOrderCommand" and record.fields.get("reason") == order.cancel_reason
        )

    def remade_since(self, topic: str, time: float) -> bool:
        """Say whether ``topic`` was made anew at or after ``time``: what was in it may be gone unseen."""
        return any(remade.topic == topic and remade.time >= time for remade in self.evidence.remade)
