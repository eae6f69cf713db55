"""What customers and the clerk will do, chosen by a seed alone."""

import uuid
from dataclasses import dataclass, replace
from random import Random

from ordersaga.order.v1.order_pb2 import CreateOrderRequest

from tests.chaos.evidence import Content

PRICE = 500
_MOST_AT_ONCE = 6
_KINDS = {"good": 58, "scarce": 10, "price": 6, "box": 6, "unknown": 4, "restock": 4, "cancel": 8, "bulk": 4}
"""How often each kind of customer comes."""
_WATCHED = 0.15
"""The share of orders that somebody watches."""


@dataclass(frozen=True)
class Wish:
    """An order that is to be placed, under a request id."""

    content: Content
    request_id: str

    def request(self) -> CreateOrderRequest:
        """Return what places it."""
        return CreateOrderRequest(
            user_id=self.content.user_id,
            product_id=self.content.product_id,
            quantity=self.content.quantity,
            price=self.content.price,
            address=self.content.address,
            request_id=self.request_id,
        )


@dataclass(frozen=True)
class Plan:
    """What one customer, or the clerk, will do."""

    number: int
    kind: str
    wish: Wish
    cancel_after: float | None = None
    """Seconds after the answer."""
    repeats: tuple[Content, ...] = ()
    """What is asked again under the same request id afterwards, right or wrong."""
    more: tuple[Wish, ...] = ()
    """What is ordered in the same stream of lists; empty where the order is placed by itself."""
    watched: bool = False


def plan(seed: int, number: int, plenty: int, scarce: int) -> Plan:
    """Return the plan ``number`` of the load ``seed``: always the same one."""
    random = Random(f"{seed}-{number}")
    kind = random.choices(list(_KINDS), list(_KINDS.values()))[0]
    content = Content(random.randint(1, 50), plenty, random.randint(1, 3), PRICE, f"Main Street {number}")
    changed: dict[str, Content] = {
        "scarce": replace(content, product_id=scarce),
        "restock": replace(content, product_id=scarce, quantity=random.randint(1, 5)),
        "price": replace(content, price=PRICE + 1),
        "box": replace(content, address=f"PO Box {number}"),
        "unknown": replace(content, product_id=10**9),
    }
    wish = Wish(changed.get(kind, content), _request_id(random))
    cancel_after = random.choice([0.0, 0.01, 0.05, 0.2, 1.0]) if kind == "cancel" else None
    other = replace(wish.content, quantity=wish.content.quantity + 1)
    again = random.choices([(), (wish.content,), (other, wish.content)], [90, 6, 4])[0]
    count = random.randint(1, _MOST_AT_ONCE) if kind == "bulk" else 0
    of_all_kinds = [content, *(changed[name] for name in ("scarce", "price", "box", "unknown"))]
    more = tuple(Wish(random.choice(of_all_kinds), _request_id(random)) for _ in range(count))
    return Plan(number, kind, wish, cancel_after, again, more, watched=random.random() < _WATCHED)


def _request_id(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
