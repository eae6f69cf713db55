"""Readers of metrics that ask and never read: their writes stand still, and nobody else's."""

import gc
import socket
import ssl
import sys
import time
import traceback
import tracemalloc
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sagakit.runtime import metrics_server
from sagakit.runtime.settings import Listen
from sagakit.runtime.tls_files import TlsFile, TlsFiles
from tests.support.certificates import Authority
from tests.support.served import free_address
from tests.support.wait import eventually

ANSWER_BYTES = 8_000_000
"""More than a kernel takes for somebody who does not read: Linux has 4 MB for what is sent."""
WINDOW_BYTES = 4096
MOST, CROWD = 4, 10
STILL_SECONDS = 1.0
"""Of the same threads writing: nobody else comes in."""
DROPPED_SECONDS = 12.0
OURS = Authority("ours")


class LargeAnswer(Collector):
    """A metric whose description is all of the answer but a little."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("sagakit_large_answer", "x" * ANSWER_BYTES)


@dataclass
class Served:
    """Metrics, as they are served to one who trusts our authority."""

    address: Listen
    context: ssl.SSLContext | None

    def asks_and_never_reads(self) -> socket.socket:
        """Return the connection of a reader who has asked, with little room for the answer."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        reader.settimeout(10)
        reader.connect(self.address)
        if self.context:
            reader = self.context.wrap_socket(reader, server_hostname=self.address.host)
        reader.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return reader

    def read(self) -> bytes:
        """Read all metrics, as Prometheus does."""
        scheme = "https" if self.context else "http"
        with urllib.request.urlopen(f"{scheme}://{self.address}/metrics", timeout=30, context=self.context) as answer:  # noqa: S310 - ours
            return bytes(answer.read())


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
def served(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Metrics with a large answer, and little patience."""
    monkeypatch.setattr(metrics_server, "_MOST_CONNECTIONS", MOST)
    monkeypatch.setattr(metrics_server, "_SILENCE_SECONDS", DROPPED_SECONDS)
    large, address = LargeAnswer(), free_address()
    REGISTRY.register(large)
    if request.param:
        OURS.sign("127.0.0.1").write(tmp_path)
    own = {name: str(tmp_path / name) if request.param else None for name in ("tls.crt", "tls.key")}
    certificate, key = (TlsFile(name, path) for name, path in own.items())
    metrics_server.serve(address, TlsFiles(certificate, key, TlsFile("CA", None)))
    context = ssl.create_default_context(cadata=OURS.certificate.decode()) if request.param else None
    tracemalloc.start()
    yield Served(address, context)
    tracemalloc.stop()
    REGISTRY.unregister(large)


def writing() -> set[int]:
    """The threads that are in the midst of writing an answer."""
    found = set[int]()
    for thread, newest in sys._current_frames().items():  # noqa: SLF001 - its public name
        for frame, _ in traceback.walk_stack(newest):
            if (frame.f_globals["__name__"], frame.f_code.co_name) == ("socketserver", "write"):
                found.add(thread)
    return found


def rest_of(reader: socket.socket) -> int:
    """How much was sent to a reader who was cut off; he reads it now."""
    size = 0
    try:
        while got := len(reader.recv(1_000_000)):
            size += got
    except OSError:  # cut off hard
        pass
    return size


def test_who_asks_and_never_reads_keeps_nobody_waiting_takes_bounded_room_and_is_dropped(served: Served) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(served.asks_and_never_reads()) for _ in range(CROWD)]

        def all_that_may_be_there_stand_still() -> set[int]:
            before = writing()
            assert len(before) == MOST
            time.sleep(STILL_SECONDS)
            assert writing() == before, "the crowd is still coming in"
            return before

        blocked = eventually(all_that_may_be_there_stand_still, DROPPED_SECONDS)
        assert b"sagakit_ready" in served.read(), "who reads is answered; the oldest of the crowd made room"
        still = writing()
        assert still < blocked
        assert len(still) == MOST - 1, "the others' writes are blocked all the while"
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        assert held < (MOST + 1) * ANSWER_BYTES, "an answer for each that may be there, and no more"

        def dropped() -> None:
            assert writing() == set()

        eventually(dropped, 2 * DROPPED_SECONDS)
        assert max(rest_of(reader) for reader in crowd) < ANSWER_BYTES
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    assert held < 2 * ANSWER_BYTES, "nothing is kept of those who were dropped"
