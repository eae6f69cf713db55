"""Customers who order, cancel, watch, repeat themselves and are refused, and a clerk who restocks."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest

import grpc
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from tests.chaos.evidence import CancelCall, Content, CreateCall, OrderView, OrderWatch, ReadCall, RestockCall
from tests.chaos.load_lines import CALL_SECONDS, Lines, code_of, outcome
from tests.chaos.load_plans import Plan, Wish
from tests.chaos.load_views import content_of, order_view

LONGEST_WAIT_SECONDS = 40.0
_WATCH_SECONDS = 20.0
_WATCHERS = 6
_AGAIN_SECONDS = 0.5
_LIST = 3
"""Orders in one list of a stream."""
_TRY_LATER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


class Customers:
    """Carries out plans, each to its end."""

    def __init__(self, lines: Lines, stopping: threading.Event) -> None:
        """Call by ``lines``; wait for nothing once ``stopping`` is set."""
        self._lines, self._stopping = lines, stopping
        self._recorder = lines.recorder
        self._watchers = ThreadPoolExecutor(_WATCHERS, "watcher")

    def carry_out(self, what: Plan) -> None:
        """Do what ``what`` says."""
        if what.kind == "restock":
            self._until_answered(lambda: self._restock(what.wish))
            return
        if what.more:
            self._until_answered(lambda: self._create_many([what.wish, *what.more]))
            return
        order_id = self._until_answered(lambda: self._create(what.wish.content, what.wish.request_id))
        if order_id and what.watched:
            self._watchers.submit(self._watch, order_id)
        if order_id and what.cancel_after is not None:
            self._stopping.wait(what.cancel_after)
            self._until_answered(lambda: self._cancel(order_id))
        if order_id:
            self._until_answered(lambda: self._read(order_id))
        for content in what.repeats:
            self._until_answered(lambda content=content: self._create(content, what.wish.request_id))  # type: ignore[misc] # a lambda's default

    def close(self) -> None:
        """Wait until the watches have ended."""
        self._watchers.shutdown()

    def _until_answered(self, call: Callable[[], tuple[str, int | None]]) -> int | None:
        """Make a call again, with the same request id, until it is answered, for a while."""
        give_up, wait = time.monotonic() + LONGEST_WAIT_SECONDS, 0.1
        code, answer = call()
        while code in _TRY_LATER and time.monotonic() < give_up:
            time.sleep(wait)
            wait = min(2.0, wait * 2)
            code, answer = call()
        return answer

    def _create(self, content: Content, request_id: str) -> tuple[str, int | None]:
        wish, began = Wish(content, request_id), self._recorder.now()
        code, answer = self._lines.call("CreateOrder", self._lines.orders.CreateOrder, wish.request())
        order = answer.order if answer is not None else None
        self._created(wish, "CreateOrder", code, order, began)
        return code, order.order_id if order else None

    def _create_many(self, wishes: Sequence[Wish]) -> tuple[str, int | None]:
        lists = [wishes[begin : begin + _LIST] for begin in range(0, len(wishes), _LIST)]
        requests = [order_pb2.CreateOrdersRequest(orders=[wish.request() for wish in one]) for one in lists]
        results: list[order_pb2.CreateOrderResult] = []
        code, began = "OK", self._recorder.now()
        try:
            for answer in self._lines.orders.CreateOrders(iter(requests), timeout=CALL_SECONDS):
                results += answer.results
        except grpc.RpcError as error:
            code = code_of(error)
        self._lines.count("CreateOrders", code)
        codes = [code]
        for wish, result in zip_longest(wishes, results):
            codes.append(_code_in(result) if result else code)
            order = result.order if result and result.HasField("order") else None
            self._created(wish, "CreateOrders", codes[-1], order, began)
        return next((one for one in codes if one in _TRY_LATER), code), None

    def _created(self, wish: Wish, name: str, code: str, order: order_pb2.Order | None, began: float) -> None:
        ended = self._recorder.now()
        order_id, answered = (order.order_id, content_of(order)) if order else (None, None)
        call = CreateCall(wish.request_id, wish.content, outcome(code), order_id, answered, code, began, ended)
        self._recorder.note(call)
        if order:
            self._recorder.see(order_view(order, name, began, ended))
            self._lines.recent.append((order.order_id, order.user_id))

    def _cancel(self, order_id: int) -> tuple[str, int | None]:
        request = order_pb2.CancelOrderRequest(order_id=order_id, actor="chaos", reason="changed my mind")
        began = self._recorder.now()
        code, answer = self._lines.call("CancelOrder", self._lines.orders.CancelOrder, request)
        ended = self._recorder.now()
        self._recorder.note(CancelCall(order_id, outcome(code), code, began, ended))
        if answer is not None:
            self._recorder.see(order_view(answer.order, "CancelOrder", began, ended))
        return code, None

    def _read(self, order_id: int) -> tuple[str, int | None]:
        request, began = order_pb2.GetOrderRequest(order_id=order_id), self._recorder.now()
        code, answer = self._lines.call("GetOrder", self._lines.orders.GetOrder, request)
        ended = self._recorder.now()
        self._recorder.note(ReadCall("GetOrder", outcome(code), code, began, ended))
        if answer is not None:
            self._recorder.see(order_view(answer.order, "GetOrder", began, ended))
        return code, None

    def _watch(self, order_id: int) -> None:
        """Watch an order, again where the stream breaks, until it ends, or it takes too long."""
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        code = ""
        while code not in {"OK", "NOT_FOUND"} and time.monotonic() < give_up:
            if self._stopping.wait(_AGAIN_SECONDS if code else 0):
                return
            views: list[OrderView] = []
            began = self._recorder.now()
            code = self._take_all(self._stream(order_id, began), views)
            ended = self._recorder.now()
            self._recorder.note(ReadCall("WatchOrder", outcome(code), code, began, ended))
            self._recorder.see(OrderWatch(order_id, tuple(views), code, began, ended))

    def _stream(self, order_id: int, began: float) -> Iterator[OrderView]:
        request = order_pb2.WatchOrderRequest(order_id=order_id)
        for answer in self._lines.orders.WatchOrder(request, timeout=_WATCH_SECONDS):
            yield order_view(answer.order, "WatchOrder", began, self._recorder.now())

    def _take_all(self, stream: Iterator[OrderView], views: list[OrderView]) -> str:
        code = "OK"
        try:
            views.extend(stream)
        except grpc.RpcError as error:
            code = code_of(error)
        self._lines.count("WatchOrder", code)
        return code

    def _restock(self, wish: Wish) -> tuple[str, int | None]:
        product, quantity = wish.content.product_id, wish.content.quantity
        request = product_pb2.RestockProductRequest(product_id=product, quantity=quantity, request_id=wish.request_id)
        began = self._recorder.now()
        code, _ = self._lines.call("RestockProduct", self._lines.products.RestockProduct, request)
        ended = self._recorder.now()
        self._recorder.note(RestockCall(product, quantity, wish.request_id, outcome(code), code, began, ended))
        return code, None


def _code_in(result: order_pb2.CreateOrderResult) -> str:
    """Return the name of the status that one order of a list was answered with."""
    number = result.error.code if result.HasField("error") else 0
    return next(code.name for code in grpc.StatusCode if code.value[0] == number)
