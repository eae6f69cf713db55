"""A seeded, bounded load: customers who order, cancel, repeat themselves and are refused, and a clerk who restocks."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc

from tests.chaos.evidence import CancelCall, Content, CreateCall, Outcome, ReadCall, RestockCall
from tests.chaos.recorder import Recorder

PRICE = 500
PLENTY, SCARCE = 100_000, 20
_CALL_SECONDS = 5.0
_PATIENCE_SECONDS = 40.0
_INDETERMINATE = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED", "ABORTED"}
_TRY_LATER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


@dataclass(frozen=True)
class Plan:
    """What one customer, or the clerk, will do."""

    number: int
    kind: str
    content: Content
    request_id: str
    cancel_after: float | None = None
    """Seconds after the answer."""
    repeats: tuple[Content, ...] = ()
    """What is asked again under the same request id afterwards, right or wrong."""


def plan(seed: int, number: int, plenty: int, scarce: int) -> Plan:
    """Return the plan ``number`` of the load ``seed``: always the same one."""
    random = Random(f"{seed}-{number}")
    kinds = {"good": 62, "scarce": 10, "price": 6, "box": 6, "unknown": 4, "restock": 4, "cancel": 8}
    kind = random.choices(list(kinds), list(kinds.values()))[0]
    content = Content(random.randint(1, 50), plenty, random.randint(1, 3), PRICE, f"Main Street {number}")
    changed: dict[str, Content] = {
        "scarce": replace(content, product_id=scarce),
        "restock": replace(content, product_id=scarce, quantity=random.randint(1, 5)),
        "price": replace(content, price=PRICE + 1),
        "box": replace(content, address=f"PO Box {number}"),
        "unknown": replace(content, product_id=10**9),
    }
    content = changed.get(kind, content)
    request_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
    cancel_after = random.choice([0.0, 0.01, 0.05, 0.2, 1.0]) if kind == "cancel" else None
    again = random.choices([(), (content,), (replace(content, quantity=content.quantity + 1), content)], [90, 6, 4])[0]
    return Plan(number, kind, content, request_id, cancel_after, again)


class Load:
    """Runs plans one after another from a few threads, ``rate`` of them a second."""

    def __init__(self, recorder: Recorder, orders: Sequence[str], products: Sequence[str], seed: int) -> None:
        """Call the order services at ``orders`` and the product services at ``products``, turn by turn."""
        self._recorder, self._seed = recorder, seed
        self._order_channels = [grpc.insecure_channel(address, options=_OPTIONS) for address in orders]
        self._product_channels = [grpc.insecure_channel(address, options=_OPTIONS) for address in products]
        self._orders = [order_pb2_grpc.OrderServiceStub(channel) for channel in self._order_channels]
        self._products = [product_pb2_grpc.ProductServiceStub(channel) for channel in self._product_channels]
        self._going = threading.Event()
        self._going.set()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._begun = 0
        self._busy = 0
        self.codes: Counter[str] = Counter()
        """Answers by call and status."""
        self.plenty = self._product("plenty", PLENTY)
        self.scarce = self._product("scarce", SCARCE)
        recorder.evidence.initial_stock |= {self.plenty: PLENTY, self.scarce: SCARCE}

    def _product(self, name: str, stock: int) -> int:
        request = product_pb2.CreateProductRequest(name=f"chaos: {name}", price=PRICE, stock=stock)
        return self._products[0].CreateProduct(request, timeout=30, wait_for_ready=True).product.product_id

    def start(self, rate: float, threads: int) -> None:
        """Begin."""
        began = time.monotonic()
        for _ in range(threads):
            thread = threading.Thread(target=self._work, args=(began, rate), name="load", daemon=True)
            thread.start()
            self._threads.append(thread)

    def pause(self) -> None:
        """Begin no further plan, and wait until those under way are done."""
        self._going.clear()
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while self._busy and time.monotonic() < give_up:
            time.sleep(0.05)

    def resume(self) -> None:
        """Go on."""
        self._going.set()

    def stop(self) -> None:
        """Finish the plans under way."""
        self._stopping.set()
        self._going.set()
        for thread in self._threads:
            thread.join()
        for channel in [*self._order_channels, *self._product_channels]:
            channel.close()

    def _work(self, began: float, rate: float) -> None:
        while not self._stopping.is_set():
            self._going.wait()
            with self._lock:
                number, self._begun, self._busy = self._begun, self._begun + 1, self._busy + 1
            try:
                self._stopping.wait(max(0.0, began + number / rate - time.monotonic()))
                if not self._stopping.is_set():
                    self._carry_out(plan(self._seed, number, self.plenty, self.scarce))
            finally:
                with self._lock:
                    self._busy -= 1

    def _carry_out(self, what: Plan) -> None:
        if what.kind == "restock":
            self._until_answered(lambda turn: self._restock(what, turn))
            return
        order_id = self._until_answered(lambda turn: self._create(what, what.content, turn))
        if order_id and what.cancel_after is not None:
            self._stopping.wait(what.cancel_after)
            self._until_answered(lambda turn: self._cancel(order_id, turn))
        if order_id:
            self._until_answered(lambda turn: self._read(order_id, turn))
        for content in what.repeats:
            self._until_answered(lambda turn, content=content: self._create(what, content, turn))  # type: ignore[misc] # a lambda's default

    def _until_answered(self, call: Callable[[int], tuple[str, int | None]]) -> int | None:
        """Make a call again with the same request id until it is answered, for a while."""
        give_up, wait = time.monotonic() + _PATIENCE_SECONDS, 0.1
        turn = self._begun
        code, answer = call(turn)
        while code in _TRY_LATER and time.monotonic() < give_up:
            time.sleep(wait)
            wait, turn = min(2.0, wait * 2), turn + 1
            code, answer = call(turn)
        return answer

    def _create(self, what: Plan, content: Content, turn: int) -> tuple[str, int | None]:
        request = order_pb2.CreateOrderRequest(
            user_id=content.user_id,
            product_id=content.product_id,
            quantity=content.quantity,
            price=content.price,
            address=content.address,
            request_id=what.request_id,
        )
        began = self._recorder.now()
        code, answer = self._call("CreateOrder", self._orders[turn % len(self._orders)].CreateOrder, request)
        order = answer.order if answer is not None else None
        answered = (
            Content(order.user_id, order.product_id, order.quantity, order.price, order.address) if order else None
        )
        order_id = order.order_id if order else None
        self._recorder.note(
            CreateCall(
                what.request_id, content, _outcome(code), order_id, answered, code, began=began,
                ended=self._recorder.now(),
            )
        )  # fmt: skip
        return code, order_id

    def _cancel(self, order_id: int, turn: int) -> tuple[str, int | None]:
        request = order_pb2.CancelOrderRequest(order_id=order_id, actor="chaos", reason="changed my mind")
        began = self._recorder.now()
        code, _ = self._call("CancelOrder", self._orders[turn % len(self._orders)].CancelOrder, request)
        self._recorder.note(CancelCall(order_id, _outcome(code), code, began, self._recorder.now()))
        return code, None

    def _read(self, order_id: int, turn: int) -> tuple[str, int | None]:
        request = order_pb2.GetOrderRequest(order_id=order_id)
        began = self._recorder.now()
        code, _ = self._call("GetOrder", self._orders[turn % len(self._orders)].GetOrder, request)
        self._recorder.note(ReadCall("GetOrder", _outcome(code), code, began, self._recorder.now()))
        return code, None

    def _restock(self, what: Plan, turn: int) -> tuple[str, int | None]:
        product, quantity = what.content.product_id, what.content.quantity
        request = product_pb2.RestockProductRequest(product_id=product, quantity=quantity, request_id=what.request_id)
        began = self._recorder.now()
        code, _ = self._call("RestockProduct", self._products[turn % len(self._products)].RestockProduct, request)
        ended = self._recorder.now()
        self._recorder.note(RestockCall(product, quantity, what.request_id, _outcome(code), code, began, ended))
        return code, None

    def _call(self, name: str, method: Any, request: object) -> tuple[str, Any]:
        try:
            answer, code = method(request, timeout=_CALL_SECONDS), "OK"
        except grpc.RpcError as error:
            answer, code = None, cast("grpc.Call", error).code().name
        with self._lock:
            self.codes[f"{name} {code}"] += 1
        return code, answer


def _outcome(code: str) -> Outcome:
    if code == "OK":
        return Outcome.ACKNOWLEDGED
    return Outcome.UNANSWERED if code in _INDETERMINATE else Outcome.REFUSED
