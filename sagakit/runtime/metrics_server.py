"""The server that shows the metrics to Prometheus, in the clear or by TLS.

prometheus_client's own server makes each handshake in the one thread that takes connections, so that a client which
says nothing keeps everybody waiting, and it knows no certificate but the first. Here each connection has a thread of
its own for all of that, and ten seconds for each step. Who sends a letter every nine seconds would keep his for ever,
and could have any number of them: so of too many the oldest is cut off, which a reader of metrics never is.
"""

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from typing import Any

from prometheus_client import MetricsHandler

from sagakit.runtime.logs import logger
from sagakit.runtime.server_tls import CurrentContexts
from sagakit.runtime.settings import Listen
from sagakit.runtime.tls_files import TlsFiles

log = logger("metrics")

_SILENCE_SECONDS = 10.0
_MOST_CONNECTIONS = 50
"""At once. Metrics are read in a fraction of a second, by few."""


def serve(listen: Listen, files: TlsFiles) -> None:
    """Serve the metrics over HTTP from daemon threads; over HTTPS where ``files`` has a certificate.

    ``::`` is every address, of IPv4 too; where the system has no IPv6 it is every address of IPv4, as for gRPC.

    Raises:
        OSError: the port is in use, or the address is not one of this machine.
        UnusableFiles: the TLS files do not fit.
    """
    contexts = CurrentContexts(files, "metrics") if files.certificate.path else None
    try:
        server = _Server(listen, contexts)
    except OSError as error:
        if listen.host != "::" or error.errno != errno.EAFNOSUPPORT:
            raise
        server = _Server(Listen("0.0.0.0", listen.port), contexts)  # noqa: S104 - it is what was asked for
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Connections:
    """Those that are open, the oldest first; any thread may use it."""

    def __init__(self) -> None:
        self._lock, self._open = threading.Lock(), dict[int, socket.socket]()

    @contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        """Count ``connection`` as open until the block ends; cut off the oldest ones that are too many."""
        with self._lock:
            self._open[id(connection)] = connection
            for oldest in list(self._open.values())[:-_MOST_CONNECTIONS]:
                with suppress(OSError):  # it ends by itself, or was cut off before
                    socket.socket.shutdown(oldest, socket.SHUT_RDWR)  # TLS's own would change it under its thread
        try:
            yield
        finally:
            with self._lock:
                del self._open[id(connection)]


class _Server(ThreadingHTTPServer):
    """Handles each connection in a thread of its own."""

    def __init__(self, listen: Listen, contexts: CurrentContexts | None) -> None:
        self.address_family = socket.getaddrinfo(*listen, type=socket.SOCK_STREAM)[0][0]
        self._contexts, self._connections = contexts, _Connections()
        super().__init__(listen, MetricsHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has them
        """Answer one connection; called in its thread."""
        request.settimeout(_SILENCE_SECONDS)  # also for an answer that nobody reads
        if self._contexts is None:
            with self._connections.holding(request):
                super().finish_request(request, client_address)
            return
        context = self._contexts.now()
        with (
            context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as secured,
            self._connections.holding(secured),
        ):
            secured.do_handshake()
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - as socketserver calls it
        """Note that a connection failed; this is called while its error is handled."""
        log.debug("a connection failed", client=str(client_address), error=repr(sys.exception()))
