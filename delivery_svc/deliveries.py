"""Deliveries, and the rule for the addresses that can be delivered to."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from unicodedata import combining, normalize

UNDELIVERABLE_ADDRESS = "UNDELIVERABLE_ADDRESS"
UNDONE = "UNDONE"
"""Refusal of a delivery that was undone before."""

_BOXES = (
    "p o box", "post office box", "post box", "postfach", "postbus", "postboks", "boite postale", "casella postale",
    "apartado postal", "apartado de correos",
)  # fmt: skip
_APART = r"[\s.\u2010-\u2015-]*"
_ENDS = r"(?![^\W\d_])"
"""No letter follows."""
_NAMES = "|".join(name.replace(" ", _APART) for name in _BOXES)
_POST_OFFICE_BOX = re.compile(rf"\b(?=[abcp])(?:(?:{_NAMES}){_ENDS}|p{_APART}o{_APART}b{_APART}[0-9])")


class DeliveryStatus(StrEnum):
    """The state of one order's delivery."""

    SCHEDULED = "SCHEDULED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"
    """There was never a delivery; the row keeps the answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The delivery an order wants."""

    order_id: int
    user_id: int
    address: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One order's delivery as it is stored. Every known order has one."""

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
        """The refusal with which a create is answered, None for success; the same each time."""
        return self.refusal or (UNDONE if self.status is DeliveryStatus.CANCELLED else None)

    def is_for(self, wanted: Wanted) -> bool:
        """Say whether this delivery is the one ``wanted``, or another under the same order id."""
        return (self.user_id, self.address) == (wanted.user_id, wanted.address)


def refusal(wanted: Wanted) -> str | None:
    """Return why ``wanted`` cannot be delivered, or None: a courier needs a door, so post-office boxes are refused.

    An address names one if it has, as words of their own, one of the names "P.O. Box", "Post Office Box", "Post Box",
    "Postfach", "Postbus", "Postboks", "Boîte postale", "Casella postale", "Apartado postal", "Apartado de Correos", or
    "P.O.B." before a number. Upper or lower case, accents and full-width letters make no difference. Between a name's
    words there may be spaces, dots and hyphens, or nothing; a number may follow without a space.

    An order without an address goes to the customer's registered address.
    """
    plain = _without_accents(wanted.address).casefold()
    return UNDELIVERABLE_ADDRESS if _POST_OFFICE_BOX.search(plain) else None


def _without_accents(address: str) -> str:
    if address.isascii():
        return address
    return "".join(one for one in normalize("NFKD", address) if not combining(one))
