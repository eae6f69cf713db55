"""What a delivery is, and the rule which addresses can be delivered to."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

UNDELIVERABLE_ADDRESS = "UNDELIVERABLE_ADDRESS"
UNDONE = "UNDONE"
"""Refusal of a delivery that was undone before."""

_POST_OFFICE_BOX = re.compile(r"\bp\.?\s*o\.?\s*box\b", re.IGNORECASE)


class DeliveryStatus(StrEnum):
    """What became of one order's delivery."""

    SCHEDULED = "SCHEDULED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"
    """There is no delivery and never was; the row remembers the answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The delivery an order wants."""

    order_id: int
    user_id: int
    address: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is stored about one order's delivery. There is one for each order ever heard of."""

    order_id: int
    delivery_id: int | None
    """None where the delivery was refused."""
    user_id: int
    address: str
    status: DeliveryStatus
    refusal: str | None
    create_time: datetime
    update_time: datetime

    @property
    def answer(self) -> str | None:
        """The refusal that a create is answered with, None for success; the same however often it is asked."""
        return self.refusal or (UNDONE if self.status is DeliveryStatus.CANCELLED else None)

    def is_for(self, wanted: Wanted) -> bool:
        """Say whether this delivery is the one ``wanted``, or another under the same order id."""
        return (self.user_id, self.address) == (wanted.user_id, wanted.address)


def refusal(wanted: Wanted) -> str | None:
    """Return why ``wanted`` cannot be delivered, or None: a courier needs a door, so post-office boxes are refused.

    An order without an address goes to the one on the customer's file.
    """
    return UNDELIVERABLE_ADDRESS if _POST_OFFICE_BOX.search(wanted.address) else None
