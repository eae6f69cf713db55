"""A stack of its own under load: one round of each kind of load."""

import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
import psycopg
from ordersaga.product.v1 import product_pb2, product_pb2_grpc

from bench.counts import Counts, counts, per_transaction
from bench.figures import Figures, times
from bench.http2 import OPEN, Access
from bench.load import Caller, Load
from bench.usage import LOAD, Usage, services_of, usage
from devstack.services import NAMES, channel_to
from devstack.stack import Stack

PRICE = 500
"""What each product costs, in the currency's minor unit."""
_PRODUCTS = 10
_STOCK = 1_000_000_000
_SESSION_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_WARM_CALLERS = 256
_WATCH_EVERY = 20
"""Orders for one that is watched where they arrive by themselves: a call to watch costs five times a call to order."""
_ANY_PENDING = "SELECT FROM orders WHERE status = 'PENDING' ORDER BY announce_time LIMIT 1"
"""By the index: reading the whole table again and again would be most of what is measured."""


class Rig:
    """Measures one running stack."""

    def __init__(self, stack: Stack) -> None:
        """Order ten products, with more in stock than anybody can order."""
        self.stack = stack
        with channel_to(stack.service("product_svc").grpc, stack.security) as channel:
            stub = product_pb2_grpc.ProductServiceStub(channel)
            request = product_pb2.CreateProductRequest(name="A thing to measure with", price=PRICE, stock=_STOCK)
            self.products = [stub.CreateProduct(request).product.product_id for _ in range(_PRODUCTS)]
        self.caller = self.caller_with(access_to(stack))

    def caller_with(self, access: Access) -> Caller:
        """Return who orders from order_svc while that asks ``access`` of its callers."""
        return Caller([self.stack.service("order_svc").grpc], self.products, PRICE, access=access)

    def warm_up(self, seconds: float, caller: Caller | None = None) -> None:
        """Have everything run hot: Kafka's compiler takes a minute of load until it is done."""
        (caller or self.caller).closed(_WARM_CALLERS, seconds)
        self.drain()

    def settle(self) -> None:
        """Bring the database to where one is that has run for a while.

        After a checkpoint it reuses its log's old files. A new database makes each of them, 16 MB, while commits wait
        for 20 to 50 ms. The first change to a page after a checkpoint logs it whole; the vacuum is that of most pages.
        """
        checkpoint(self.stack)
        for name in NAMES:
            with psycopg.connect(self.stack.service(name).dsn, autocommit=True) as connection:
                connection.execute("VACUUM")

    def place(self, callers: int, orders: int) -> Load:
        """Have ``callers`` place so many orders, and do not wait until they are complete."""
        load = self.caller.closed(callers, at_most=orders)
        must_all_be_answered(load)
        return load

    def throughput(self, callers: int, seconds: float, caller: Caller | None = None) -> Figures:
        """Have ``callers`` order for ``seconds``, and wait until all is complete: that counts as well."""
        return self.costed(lambda: (caller or self.caller).closed(callers, seconds))

    def costed(self, place: Callable[[], Load]) -> Figures:
        """Measure what ``place`` places until all of it is complete, and what that costs."""
        before, counted = usage(self.stack), counts(self.stack)
        load = place()
        must_all_be_answered(load)
        self.drain()
        ended, after = time.perf_counter(), usage(self.stack)
        figures = {"completed orders/s": load.placed / (ended - load.began)} | times("create", load.creates, 50, 99)
        return figures | _costs(before, after, load.placed) | _batches(counted, counts(self.stack))

    def idle(self, seconds: float) -> Figures:
        """Order one thing at a time, each once the last is complete."""
        load = self.caller.closed(1, seconds, watch_every=1)
        must_all_be_answered(load)
        return times("create", load.creates, 50) | times("call to COMPLETED", load.completions, 50, 99)

    def arrivals(self, rate: float, seconds: float) -> Figures:
        """Order ``rate`` times a second whatever is answered; one order in twenty is watched."""
        load = self.caller.open(rate, seconds, watch_every=_WATCH_EVERY)
        must_all_be_answered(load)
        self.drain()
        return (
            {"arrivals/s": rate}
            | times("create", load.creates, 50, 99)
            | times("call to COMPLETED", load.completions, 50, 99)
        )

    def drain(self) -> None:
        """Wait until no order is PENDING."""
        with psycopg.connect(self.stack.service("order_svc").dsn, autocommit=True) as connection:
            while connection.execute(_ANY_PENDING).fetchone() is not None:
                time.sleep(_LOOK_SECONDS)


def access_to(stack: Stack) -> Access:
    """Return what the services of ``stack`` ask of a caller who may do everything."""
    if not stack.security.on:
        return OPEN
    trust = ssl.create_default_context(cafile=stack.security.ca)
    trust.set_alpn_protocols(["h2"])
    return Access(stack.security.operator_token.read_text().strip(), trust)


@contextmanager
def rig(warm_up_seconds: float, *, secure: bool = False) -> Iterator[Rig]:
    """Bring a stack up in a folder of its own, closed or not, warm it up, and remove all of it in the end."""
    with tempfile.TemporaryDirectory(prefix="order-saga-bench-") as folder:
        stack = Stack.fresh(Path(folder) / "stack", session_seconds=_SESSION_SECONDS, secure=secure)
        os.environ["GRPC_MAX_CONNECTION_AGE_SECONDS"] = "86400"  # the load's own connections do not renew themselves
        try:
            stack.up()
            made = Rig(stack)
            made.warm_up(warm_up_seconds)
            made.settle()
            yield made
        finally:
            stack.purge()


def checkpoint(stack: Stack) -> None:
    """Have everything that was written so far on disk."""
    with psycopg.connect(stack.postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def must_all_be_answered(load: Load) -> None:
    """Raise RuntimeError where a call was answered with an error: then nothing that was measured means anything."""
    if set(load.answers) != {grpc.StatusCode.OK.value[0]}:
        msg = f"calls were answered with errors, by status code: {dict(load.answers)}"
        raise RuntimeError(msg)


def _costs(before: Usage, after: Usage, orders: int) -> Figures:
    thousand = {name: (after.cpu[name] - before.cpu[name]) / orders * 1000 for name in after.cpu}
    figures = {f"CPU-s/1,000 {name}": seconds for name, seconds in thousand.items()}
    services = services_of(thousand)
    figures["CPU-s/1,000 the four services"] = services
    figures["CPU-s/1,000 services, Kafka, PostgreSQL"] = services + thousand["kafka"] + thousand["postgres"]
    figures |= {f"memory MB {name}": size / 1e6 for name, size in after.memory.items() if name != LOAD}
    figures["write-ahead log bytes/order"] = (after.wal_bytes - before.wal_bytes) / orders
    figures["Kafka log bytes/order"] = (after.log_bytes - before.log_bytes) / orders
    figures["network bytes/order"] = (after.network_bytes - before.network_bytes) / orders
    return figures


def _batches(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> Figures:
    found = per_transaction(before, after)
    return {f"messages/transaction {name}": messages for name, messages in found.items()}
