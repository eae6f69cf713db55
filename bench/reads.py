"""Reads: one caller, one call after the other, through the client that costs next to nothing."""

import time
from collections.abc import Iterable

from bench.http2 import Connection, Method

_OK = 0


class Reader:
    """One connection to one service."""

    def __init__(self, address: str) -> None:
        """Connect to the service at ``address``, host:port.

        Raises:
            OSError: nobody listens there.
        """
        host, _, port = address.rpartition(":")
        self._connection = Connection(host, int(port))

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def times(self, path: str, requests: Iterable[bytes]) -> list[float]:
        """Call the method ``path`` with each of ``requests`` in turn; return the seconds that each call took.

        Raises:
            RuntimeError: a call was answered with an error.
            TimeoutError: a call was not answered.
        """
        method = Method(path)
        return [self._time(method, request) for request in requests]

    def _time(self, method: Method, request: bytes) -> float:
        began = time.perf_counter()
        self._connection.call(method, request)
        status = None
        while status is None:
            for answer in self._connection.answers():
                status = answer.status
        if status != _OK:
            msg = f"a call was answered with an error, status code {status}"
            raise RuntimeError(msg)
        return time.perf_counter() - began
