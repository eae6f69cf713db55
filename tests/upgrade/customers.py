"""Customers who place orders all the time, and ask again, with the same request id, where nobody answers."""

import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from tests.support.rpc import code_of, connect
from tests.support.shop import PRICE

_CUSTOMERS = 4
_PAUSE_SECONDS = 0.02
_CALL_SECONDS = 5.0
_RETRY_SECONDS = 60.0
_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


class Customers:
    """Four customers, each with one order in hand. One order in five is for a box, and so is undone."""

    def __init__(self, addresses: Callable[[], Sequence[str]], product_id: int) -> None:
        """Order ``product_id`` from whichever of ``addresses`` there is, by turns."""
        self.placed: list[order_pb2.Order] = []
        self.repeated: Counter[str] = Counter()
        """Calls that had to be made again, by status."""
        self.failures: list[str] = []
        """Orders that could not be placed at all, and why."""
        self._addresses, self._product_id = addresses, product_id
        self._ended = threading.Event()
        self._stubs: dict[str, order_pb2_grpc.OrderServiceStub] = {}
        self._threads = [threading.Thread(target=self._order, args=(number,)) for number in range(_CUSTOMERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _order(self, customer: int) -> None:
        for number in itertools.count(customer):
            if self._ended.wait(_PAUSE_SECONDS):
                return
            request = order_pb2.CreateOrderRequest(
                user_id=customer + 1,
                product_id=self._product_id,
                quantity=1 + number % 3,
                price=PRICE,
                address="PO Box 42" if number % 5 == 0 else "Main Street 1",
                request_id=str(uuid.uuid4()),
            )
            try:
                self.placed.append(self._place(request))
            except grpc.RpcError as error:
                self.failures.append(str(error))

    def _place(self, request: order_pb2.CreateOrderRequest) -> order_pb2.Order:
        give_up = time.monotonic() + _RETRY_SECONDS
        for turn in itertools.count():
            addresses = self._addresses()
            try:
                stub = self._stub(addresses[turn % len(addresses)])
                return stub.CreateOrder(request, timeout=_CALL_SECONDS).order
            except grpc.RpcError as error:
                if code_of(error) not in _AGAIN or time.monotonic() > give_up:
                    raise
                self.repeated[code_of(error).name] += 1
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("unreachable")

    def _stub(self, address: str) -> order_pb2_grpc.OrderServiceStub:
        if address not in self._stubs:
            self._stubs[address] = order_pb2_grpc.OrderServiceStub(connect(address))
        return self._stubs[address]
