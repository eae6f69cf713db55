"""Who looks at a stack while it is measured: a collector of spans, a reader of metrics, a browser at the console.

It is a process of its own, so that what it does with what it gets is nobody's cost but the machine's.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

_EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"
_METRICS_SECONDS = 5.0
_PAGES = "on=/&on=/sagas"


def collector() -> tuple[grpc.Server, str]:
    """Return a server that takes spans by OTLP and keeps none, and its address."""
    take: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_EXPORT, {"Export": take}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"http://127.0.0.1:{port}"


def read_metrics(addresses: list[str]) -> None:
    """Read all metrics as often as a Prometheus does, for ever."""
    while True:
        for address in addresses:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=_METRICS_SECONDS) as answer:
                answer.read()
        time.sleep(_METRICS_SECONDS)


def look_at(console: str) -> None:
    """Follow the overview and the list of sagas, as a browser that shows both does, until the console ends it."""
    with urllib.request.urlopen(f"{console}/live?{_PAGES}", timeout=60) as stream:  # noqa: S310 - ours
        while stream.readline():
            pass


def main() -> None:
    """Write the collector's address as a line, and read from the next whom to look at; end with the standard input."""
    server, address = collector()
    print(address, flush=True)
    wanted = json.loads(sys.stdin.readline())
    for look in (lambda: read_metrics(wanted["metrics"]), lambda: look_at(wanted["console"])):
        threading.Thread(target=_or_end, args=(look,), daemon=True).start()
    sys.stdin.read()
    server.stop(None)


def _or_end(look: Callable[[], None]) -> None:
    """Look, and end the process where that ends: the bench sees to it that it is still there."""
    try:
        look()
    finally:
        os._exit(1)


class Onlooker:
    """The process, as the bench sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Read from ``process`` where its collector is."""
        self._process = process
        self.collector = process.stdout.readline().strip() if process.stdout else ""
        """The address of its collector of spans."""

    def look_at(self, metrics: list[str], console: str) -> None:
        """Have it read the ``metrics`` at these addresses, and look at the ``console`` at this one."""
        print(json.dumps({"metrics": metrics, "console": console}), file=self._process.stdin, flush=True)

    def end(self) -> None:
        """End it.

        Raises:
            RuntimeError: it has ended before, so that what was measured does not mean what it says.
        """
        if self._process.poll() is not None:
            msg = "whoever looked at the stack has ended, so its figures mean nothing"
            raise RuntimeError(msg)
        self._process.terminate()


@contextmanager
def started() -> Iterator[Onlooker]:
    """Run it in a process of its own."""
    command = [sys.executable, "-m", "bench.onlooker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Onlooker(process)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
