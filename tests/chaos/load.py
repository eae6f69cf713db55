"""A seeded, bounded load: customers, a clerk, operators and readers, who use every call there is."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ordersaga.product.v1 import product_pb2

from tests.chaos.load_customers import LONGEST_WAIT_SECONDS, Customers
from tests.chaos.load_lines import Lines
from tests.chaos.load_operators import Operators
from tests.chaos.load_plans import PRICE, plan
from tests.chaos.load_readers import Readers
from tests.chaos.recorder import Recorder

PLENTY, SCARCE = 100_000, 20
_READ_SECONDS = 0.25
_ACT_SECONDS = 2.0


class Load:
    """Runs plans one after another from a few threads, ``rate`` of them a second, beside operators and readers."""

    def __init__(self, recorder: Recorder, addresses: Mapping[str, Sequence[str]], seed: int) -> None:
        """Call the replicas of each service at ``addresses`` in turn."""
        self._seed = seed
        self._lines = Lines(recorder, addresses)
        self._going = threading.Event()
        self._going.set()
        self._stopping = threading.Event()
        self._customers = Customers(self._lines, self._stopping)
        self._operators, self._readers = Operators(self._lines, seed), Readers(self._lines, seed, self._stopping)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._watching = threading.Thread(target=self._readers.watch_sagas, name="watch", daemon=True)
        self._begun = 0
        self._busy = 0
        self.plenty = self._product("plenty", PLENTY)
        self.scarce = self._product("scarce", SCARCE)
        recorder.evidence.initial_stock |= {self.plenty: PLENTY, self.scarce: SCARCE}

    @property
    def codes(self) -> Counter[str]:
        """Answers by call and status."""
        return self._lines.codes

    def _product(self, name: str, stock: int) -> int:
        request = product_pb2.CreateProductRequest(name=f"chaos: {name}", price=PRICE, stock=stock)
        return self._lines.products.CreateProduct(request, timeout=30, wait_for_ready=True).product.product_id

    def start(self, rate: float, threads: int) -> None:
        """Begin."""
        began = time.monotonic()
        jobs: list[Callable[[], None]] = [lambda: self._work(began, rate)] * threads
        jobs += [
            lambda: self._again_and_again(self._readers.look, _READ_SECONDS),
            lambda: self._again_and_again(self._operators.act, _ACT_SECONDS),
        ]
        self._threads = [threading.Thread(target=job, name="load", daemon=True) for job in jobs]
        for thread in (*self._threads, self._watching):
            thread.start()

    def pause(self) -> None:
        """Begin no further plan, and wait until those under way are done."""
        self._going.clear()
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
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
        self._customers.close()
        self._lines.close()
        self._watching.join()

    def _work(self, began: float, rate: float) -> None:
        while not self._stopping.is_set():
            self._going.wait()
            with self._lock:
                number, self._begun, self._busy = self._begun, self._begun + 1, self._busy + 1
            try:
                self._stopping.wait(max(0.0, began + number / rate - time.monotonic()))
                if not self._stopping.is_set():
                    self._customers.carry_out(plan(self._seed, number, self.plenty, self.scarce))
            finally:
                with self._lock:
                    self._busy -= 1

    def _again_and_again(self, do: Callable[[], None], seconds: float) -> None:
        while not self._stopping.wait(seconds):
            self._going.wait()
            with self._lock:
                self._busy += 1
            try:
                do()
            finally:
                with self._lock:
                    self._busy -= 1
