"""A stack of its own under load: one round of each kind of measurement."""

import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psycopg
from ordersaga.product.v1 import product_pb2, product_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from bench.load import Caller, Load
from bench.usage import LOAD, Usage, services_of, usage
from devstack.services import NAMES
from devstack.stack import Stack

Figures = dict[str, float]
"""What one round measured, by name; the unit is in the name."""

_PRODUCTS = 10
_PRICE = 500
_STOCK = 1_000_000_000
_SESSION_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_WARM_CALLERS = 256
_ANY_PENDING = "SELECT FROM orders WHERE status = 'PENDING' ORDER BY announce_time LIMIT 1"
"""By the index: reading the whole table again and again would be most of what is measured."""


class Rig:
    """Measures one running stack."""

    def __init__(self, stack: Stack) -> None:
        """Order ten products, with more in stock than anybody can order."""
        self._stack = stack
        with grpc.insecure_channel(stack.service("product_svc").grpc) as channel:
            stub = product_pb2_grpc.ProductServiceStub(channel)
            request = product_pb2.CreateProductRequest(name="A thing to measure with", price=_PRICE, stock=_STOCK)
            products = [stub.CreateProduct(request).product.product_id for _ in range(_PRODUCTS)]
        self._caller = Caller(stack.service("order_svc").grpc, products, _PRICE)

    def close(self) -> None:
        """Hang up."""
        self._caller.close()

    def warm_up(self, seconds: float) -> None:
        """Have everything run hot: Kafka's compiler takes a minute of load until it is done."""
        self._caller.closed(_WARM_CALLERS, seconds)
        self._drain()

    def throughput(self, callers: int, seconds: float) -> Figures:
        """Have ``callers`` order for ``seconds``, and wait until all is complete: that counts as well."""
        before, batches = usage(self._stack), self._batches()
        load = self._caller.closed(callers, seconds)
        _must_all_be_answered(load)
        self._drain()
        ended, after = time.perf_counter(), usage(self._stack)
        figures = {
            "completed orders/s": load.placed / (ended - load.began),
            "create p50 ms": _quantile(load.creates, 0.5),
            "create p99 ms": _quantile(load.creates, 0.99),
        }
        return figures | _costs(before, after, load.placed) | self._per_transaction(batches)

    def idle(self, seconds: float) -> Figures:
        """Order one thing at a time, each once the last is complete."""
        load = self._caller.closed(1, seconds, watch_every=1)
        _must_all_be_answered(load)
        return {
            "create p50 ms": _quantile(load.creates, 0.5),
            "call to COMPLETED p50 ms": _quantile(load.completions, 0.5),
            "call to COMPLETED p99 ms": _quantile(load.completions, 0.99),
        }

    def arrivals(self, rate: float, seconds: float) -> Figures:
        """Order ``rate`` times a second whatever is answered; one order in ten is watched."""
        load = self._caller.open(rate, seconds, watch_every=10)
        _must_all_be_answered(load)
        self._drain()
        return {
            "arrivals/s": rate,
            "create p50 ms": _quantile(load.creates, 0.5),
            "create p99 ms": _quantile(load.creates, 0.99),
            "call to COMPLETED p50 ms": _quantile(load.completions, 0.5),
            "call to COMPLETED p99 ms": _quantile(load.completions, 0.99),
        }

    def _drain(self) -> None:
        """Wait until no order is PENDING."""
        with psycopg.connect(self._stack.service("order_svc").dsn, autocommit=True) as connection:
            while connection.execute(_ANY_PENDING).fetchone() is not None:
                time.sleep(_LOOK_SECONDS)

    def _batches(self) -> dict[str, tuple[float, float]]:
        """Return how many messages and how many transactions there were, for each service and for the creates."""
        found = {}
        for name in NAMES:
            served = _metrics(self._stack.service(name).metrics)
            found[name] = (served["ordersaga_batch_messages_sum"], served["ordersaga_batch_messages_count"])
            if name == "order_svc":
                found["creates"] = (served["create_order_sum"], served["create_order_count"])
        return found

    def _per_transaction(self, before: dict[str, tuple[float, float]]) -> Figures:
        return {
            f"messages/transaction {name}": (messages - before[name][0]) / max(1, batches - before[name][1])
            for name, (messages, batches) in self._batches().items()
        }


@contextmanager
def rig(warm_up_seconds: float) -> Iterator[Rig]:
    """Bring a stack up in a folder of its own, warm it up, and remove all of it in the end."""
    with tempfile.TemporaryDirectory(prefix="order-saga-bench-") as folder:
        stack = Stack.fresh(Path(folder) / "stack", session_seconds=_SESSION_SECONDS)
        try:
            stack.up()
            made = Rig(stack)
            made.warm_up(warm_up_seconds)
            yield made
            made.close()
        finally:
            stack.purge()


def _must_all_be_answered(load: Load) -> None:
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
    return figures


def _quantile(seconds: list[float], part: float) -> float:
    """Return a quantile in milliseconds."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * part))] * 1000


def _metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("what") == "create_order":
                found[f"create_order_{sample.name.rpartition('_')[2]}"] = sample.value
            elif not sample.labels:
                found[sample.name] = sample.value
    return found
