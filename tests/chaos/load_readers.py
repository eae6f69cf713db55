"""Readers who look at orders and sagas all the time, and one who watches all sagas."""

import threading
from collections.abc import Iterator
from random import Random

import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from tests.chaos.evidence import OrderList, ReadCall, SagaView, SagaWatch
from tests.chaos.load_lines import Lines, code_of, outcome
from tests.chaos.load_views import history_of, order_view, saga_view

_WHOLE_PAGE = 1000
_LISTS_EVERY = 8
_AGAIN_SECONDS = 0.3


class Readers:
    """Reads what is newest, by every call that reads."""

    def __init__(self, lines: Lines, seed: int, stopping: threading.Event) -> None:
        """Call by ``lines``; what is read is chosen by ``seed``."""
        self._lines, self._recorder, self._stopping = lines, lines.recorder, stopping
        self._random = Random(f"readers-{seed}")
        self._turn = 0

    def look(self) -> None:
        """Read one order and its saga, and now and then lists."""
        known = self._lines.known()
        if not known:
            return
        order_id, user_id = self._random.choice(known)
        self._order(order_id)
        self._saga(order_id)
        self._turn += 1
        if self._turn % _LISTS_EVERY == 0:
            self._orders(user_id)
            self._sagas()

    def watch_sagas(self) -> None:
        """Watch all sagas, again where the stream breaks, until the load stops."""
        while not self._stopping.wait(_AGAIN_SECONDS):
            views: list[SagaView] = []
            code, began = "OK", self._recorder.now()
            try:
                views.extend(self._stream(began))
            except (grpc.RpcError, ValueError) as error:  # the latter where the channel was closed at the load's end
                code = code_of(error) if isinstance(error, grpc.RpcError) else "CANCELLED"
            ended = self._note("WatchSagas", code, began)
            self._recorder.see(SagaWatch(tuple(views), code, began, ended))
            self._lines.count("WatchSagas", code)

    def _stream(self, began: float) -> Iterator[SagaView]:
        for answer in self._lines.sagas.WatchSagas(orchestrator_pb2.WatchSagasRequest()):
            yield saga_view(answer.saga, "WatchSagas", began, self._recorder.now())

    def _order(self, order_id: int) -> None:
        began = self._recorder.now()
        request = order_pb2.GetOrderRequest(order_id=order_id)
        code, answer = self._lines.call("GetOrder", self._lines.orders.GetOrder, request)
        ended = self._note("GetOrder", code, began)
        if answer is not None:
            self._recorder.see(order_view(answer.order, "GetOrder", began, ended))

    def _saga(self, order_id: int) -> None:
        began = self._recorder.now()
        request = orchestrator_pb2.GetSagaRequest(order_id=order_id, history_page_size=_WHOLE_PAGE)
        code, answer = self._lines.call("GetSaga", self._lines.sagas.GetSaga, request)
        ended = self._note("GetSaga", code, began)
        if answer is not None:
            self._recorder.see(saga_view(answer.saga, "GetSaga", began, ended, history_of(answer)))

    def _orders(self, user_id: int) -> None:
        began = self._recorder.now()
        request = order_pb2.ListOrdersRequest(user_id=user_id, page_size=_WHOLE_PAGE)
        code, answer = self._lines.call("ListOrders", self._lines.orders.ListOrders, request)
        ended = self._note("ListOrders", code, began)
        if answer is not None:
            self._recorder.see(*(order_view(order, "ListOrders", began, ended) for order in answer.orders))
            if not answer.next_page_token:
                ids = tuple(order.order_id for order in answer.orders)
                self._recorder.see(OrderList(user_id, ids, began, ended))

    def _sagas(self) -> None:
        began = self._recorder.now()
        code, answer = self._lines.call("ListSagas", self._lines.sagas.ListSagas, orchestrator_pb2.ListSagasRequest())
        ended = self._note("ListSagas", code, began)
        if answer is not None:
            self._recorder.see(*(saga_view(saga, "ListSagas", began, ended) for saga in answer.sagas))

    def _note(self, name: str, code: str, began: float) -> float:
        ended = self._recorder.now()
        self._recorder.note(ReadCall(name, outcome(code), code, began, ended))
        return ended
