"""Orders of every kind, placed by callers who do not give up: each asks again, with the same request id."""

import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
from ordersaga.order.v1 import order_pb2

from tests.chaos.evidence import Content, CreateCall, Outcome, Record
from tests.chaos.load_plans import Wish
from tests.chaos.witness import Witness
from tests.support.rpc import code_of
from tests.support.shop import PRICE, Shop, new_user
from tests.support.wait import eventually

ANSWER_SECONDS = 40.0
FINAL_SECONDS = 20.0
SEEN_SECONDS = 30.0
STOCK = 100
OUTCOMES = {"": 4, "UNDELIVERABLE_ADDRESS": 2, "PRICE_CHANGED": 1, "OUT_OF_STOCK": 1}
"""How many orders of `Placing.begin` end with which reason; "" is COMPLETED."""
ORDERS = sum(OUTCOMES.values())


class Placing:
    """One customer with products of their own, watched by a witness."""

    def __init__(self, shop: Shop, witness: Witness, pool: ThreadPoolExecutor) -> None:
        self.shop, self.witness, self._pool = shop, witness, pool
        self.user = new_user()
        self.plenty, self.none_left = shop.product(stock=STOCK), shop.product(stock=0)
        self._stock = {self.plenty: STOCK, self.none_left: 0}
        self._since = witness.now()
        self._answers: list[Future[order_pb2.Order]] = []
        self.repeated = 0
        """How often a caller had to ask again."""

    def _contents(self) -> Sequence[Content]:
        good = Content(self.user, self.plenty, 2, PRICE, "Main Street 1")
        dear = Content(self.user, self.plenty, 2, PRICE + 1, "Main Street 1")
        none_left = Content(self.user, self.none_left, 2, PRICE, "Main Street 1")
        box = Content(self.user, self.plenty, 2, PRICE, "PO Box 42")
        return [good, box, good, dear, none_left, box, good, good]

    def begin(self) -> None:
        """Let eight orders be placed at once, of which four will be refused, two after their stock was taken."""
        self._answers = [self._pool.submit(self.place, content) for content in self._contents()]

    def begin_good(self, count: int) -> None:
        """Let ``count`` orders be placed at once that nothing speaks against."""
        good = Content(self.user, self.plenty, 2, PRICE, "Main Street 1")
        self._answers = [self._pool.submit(self.place, good) for _ in range(count)]

    def place(self, content: Content) -> order_pb2.Order:
        """Place one order, however often that takes."""
        request = Wish(content, str(uuid.uuid4())).request()

        def ask() -> order_pb2.Order:
            order = self._ask(request, content)
            assert order is not None, "the order service stays away"
            return order

        return eventually(ask, ANSWER_SECONDS)

    def _ask(self, request: order_pb2.CreateOrderRequest, content: Content) -> order_pb2.Order | None:
        try:
            order = self.shop.orders.CreateOrder(request, timeout=10).order
        except grpc.RpcError as error:
            if code_of(error) is not grpc.StatusCode.UNAVAILABLE:
                raise
            self.witness.note(CreateCall(request.request_id, content, Outcome.UNANSWERED, code="UNAVAILABLE"))
            self.repeated += 1
            return None
        answered = Content(order.user_id, order.product_id, order.quantity, order.price, order.address)
        self.witness.note(CreateCall(request.request_id, content, Outcome.ACKNOWLEDGED, order.order_id, answered))
        return order

    def answered(self) -> list[order_pb2.Order]:
        """Return the orders as they were answered, once all were."""
        return [answer.result() for answer in self._answers]

    def records(self, record_type: str) -> list[Record]:
        """Return the records of a type about the orders, once each order is answered."""
        orders = {order.order_id for order in self.answered()}
        return [r for r in list(self.witness.tape.records) if r.type == record_type and r.order_id in orders]

    def saw(self, record_type: str, count: int) -> None:
        """Wait until the topics hold ``count`` records of a type about the orders."""

        def enough() -> None:
            assert len(self.records(record_type)) >= count

        eventually(enough, SEEN_SECONDS)

    def parked(self) -> None:
        """Wait until a message about one of the orders is parked; a saga that a test before has left may be sooner."""
        keys = {str(order.order_id).encode() for order in self.answered()}

        def one_is() -> None:
            letters = list(self.witness.tape.dead_letters)
            assert any(letter.headers.get("dead-letter-key") in keys for letter in letters)

        eventually(one_is, SEEN_SECONDS)

    def ended(self) -> list[order_pb2.Order]:
        """Return the orders once each was answered and is final."""
        return self.shop.finals(self.answered(), FINAL_SECONDS)

    def finals(self) -> list[order_pb2.Order]:
        """Return the orders of `begin` once each is final, and see that they ended as they should."""
        orders = self.ended()
        assert Counter(order.cancel_reason for order in orders) == OUTCOMES
        return orders

    def must_be_in_order(self) -> None:
        """See that the checker finds nothing."""
        self.witness.must_find_nothing(self.user, self._stock, self._since)

    def must_violate(self, invariant: int, text: str) -> None:
        """See that the checker finds that ``invariant`` does not hold, and says so with ``text``."""
        self.witness.must_find(invariant, text, self.user, self._stock, self._since)
