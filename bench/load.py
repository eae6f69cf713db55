"""Places orders: as many callers as asked for, each in turn, or at a rate of its own that waits for nobody."""

import math
import random
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from ordersaga.order.v1 import order_pb2

from bench.http2 import OPEN, Access, Answer, Connection, Method

_CREATE = Method("/ordersaga.order.v1.OrderService/CreateOrder")
_WATCH = Method("/ordersaga.order.v1.OrderService/WatchOrder")
_CONNECTIONS = 4
_SILENCE_SECONDS = 60.0
ADDRESS = "12 Long Lane, Springfield"
"""Where everything is delivered to."""


@dataclass
class Load:
    """What was placed, and how long it took. Times are seconds of `time.perf_counter`."""

    placed: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    """Calls by gRPC status code."""
    creates: list[float] = field(default_factory=list)
    """Seconds from each call, or from when it was due, to its answer."""
    completions: list[float] = field(default_factory=list)
    """The same to the order's last update, for the calls that were watched."""
    began: float = 0.0


@dataclass
class _Call:
    """A call under way."""

    due: float
    to_watch: bool = False
    order_id: int = 0
    watching: bool = False


class _Flow(NamedTuple):
    """What is done besides once something is answered."""

    answered: Callable[[], None] | None = None
    completed: Callable[[], None] | None = None


class Caller:
    """One process's connections to order_svc, or to its replicas."""

    def __init__(
        self,
        addresses: Sequence[str],
        products: Sequence[int],
        price: int,
        *,
        seed: int = 1,
        access: Access = OPEN,
    ) -> None:
        """Order one piece of ``products`` at random, at ``price``, from the order_svc at ``addresses``, host:port.

        Calls are spread evenly over the replicas. ``access`` is what these ask of a caller.
        """
        self.address = addresses[0]
        """One of them."""
        self._addresses, self._access = addresses, access
        self._connections: list[Connection] = []
        self._selector: selectors.BaseSelector
        self._random = random.Random(seed)  # noqa: S311 - no secret
        # The user's id is at random: nothing may depend on a row that everybody shares.
        self.requests = [
            order_pb2.CreateOrderRequest(
                user_id=self._random.randrange(1, 100_000),
                product_id=self._random.choice(products),
                quantity=1,
                price=price,
                address=ADDRESS,
            )
            for _ in range(1_000)
        ]
        """What is ordered, again and again."""
        self._bodies = [request.SerializeToString() for request in self.requests]
        self._calls: dict[tuple[int, int], _Call] = {}
        self._turn = 0

    def closed(
        self, callers: int, seconds: float = math.inf, *, watch_every: int = 0, at_most: float = math.inf
    ) -> Load:
        """Have ``callers`` order for ``seconds``, or ``at_most`` orders, each again once its call is answered.

        Of ``watch_every`` calls one is watched until its order is final; with 1 a caller goes on only then.

        Raises:
            OSError: the server is gone, or going.
            TimeoutError: nothing is answered for a minute.
        """
        with self._connected() as load:
            until = load.began + seconds
            waits = watch_every == 1

            def again() -> None:
                if time.perf_counter() < until and load.placed < at_most:
                    self._create(load, time.perf_counter(), watch_every)

            flow = _Flow(None if waits else again, again if waits else None)
            for _ in range(callers):
                again()
            while self._calls:
                self._step(load, flow, _SILENCE_SECONDS)
            return load

    def open(self, rate: float, seconds: float, *, watch_every: int) -> Load:
        """Order ``rate`` times a second, at random moments (a Poisson process), whether calls are answered or not.

        Latencies count from the moment at which a call was due, so that a stall is seen by all whom it would have kept
        waiting (https://github.com/giltene/wrk2 calls the opposite coordinated omission).

        Raises:
            OSError: the server is gone, or going.
            TimeoutError: nothing is answered for a minute.
        """
        with self._connected() as load:
            until = load.began + seconds
            due = load.began + self._random.expovariate(rate)
            while self._calls or due < until:
                now = time.perf_counter()
                while due <= now and due < until:
                    self._create(load, due, watch_every)
                    due += self._random.expovariate(rate)
                self._step(load, _Flow(), max(0.0, due - now) if due < until else _SILENCE_SECONDS)
            return load

    @contextmanager
    def _connected(self) -> Iterator[Load]:
        """Connect, and begin a load: a server gives up connections that answer no ping because nobody reads them."""
        pairs = [self._addresses[place % len(self._addresses)].rsplit(":", 1) for place in range(_CONNECTIONS)]
        with ExitStack() as held:
            self._selector = held.enter_context(selectors.DefaultSelector())
            self._connections = [
                held.enter_context(closing(Connection(host, int(port), self._access))) for host, port in pairs
            ]
            for connection in self._connections:
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            yield Load(began=time.perf_counter())

    def _create(self, load: Load, due: float, watch_every: int) -> None:
        self._turn += 1
        place = self._turn % _CONNECTIONS
        stream = self._connections[place].call(_CREATE, self._bodies[self._turn % len(self._bodies)])
        self._calls[place, stream] = _Call(due, to_watch=watch_every > 0 and self._turn % watch_every == 0)
        load.placed += 1

    def _step(self, load: Load, flow: _Flow, timeout: float) -> None:
        """Send what waits, wait up to ``timeout`` seconds for answers, and take them."""
        for connection in self._connections:
            connection.flush()
        ready = self._selector.select(timeout)
        if not ready and timeout == _SILENCE_SECONDS:
            msg = f"{len(self._calls)} calls have not been answered for {timeout:.0f} s"
            raise TimeoutError(msg)
        for key, _ in ready:
            place = self._connections.index(key.data)
            for answer in key.data.receive():
                self._take(load, place, answer, flow)

    def _take(self, load: Load, place: int, answer: Answer, flow: _Flow) -> None:
        call = self._calls[place, answer.stream]
        if answer.status is None:
            if call.to_watch:
                call.order_id = order_pb2.CreateOrderResponse.FromString(answer.message or b"").order.order_id
            return
        del self._calls[place, answer.stream]
        now = time.perf_counter()
        if call.watching:
            load.completions.append(now - call.due)
            if flow.completed:
                flow.completed()
            return
        load.answers[answer.status] += 1
        load.creates.append(now - call.due)
        if call.order_id:
            body = order_pb2.WatchOrderRequest(order_id=call.order_id).SerializeToString()
            stream = self._connections[place].call(_WATCH, body)
            self._calls[place, stream] = _Call(call.due, watching=True)
        if flow.answered:
            flow.answered()
