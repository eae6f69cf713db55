"""Ports of 127.0.0.1 for the servers of a stack: any that nobody has, that of the last time, or the one wanted."""

import fcntl
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from devstack.errors import DevstackError
from devstack.port_holders import holder_of

# Below the range from which Linux takes ports for outgoing connections: a client that tries again and again to reach a
# server that is down would otherwise get that very port one day, and connect to itself.
_FREE_PORTS = range(20_000, 32_768)
_LOOK_SECONDS = 0.5
"""How often to look whether a port has become free."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, and that is this process's from now on.

    No other call returns it while this process lives, also where nothing listens on it: a server that is restarted
    leaves its port alone for a second, and another that took it meanwhile would answer its callers.
    """
    ports = random.sample(_FREE_PORTS, len(_FREE_PORTS))
    return next(port for port in ports if _kept(port) and is_free(port))


def choose_port(
    wanted: int, remembered: int, what: str, variable: str, progress: Callable[[str], None] = lambda _: None
) -> int:
    """Return the port ``wanted``; or, where any will do, the one of the last time, as long as it is free.

    Raises:
        DevstackError: the port wanted is in use, and stays so (`must_be_free`).
    """
    if wanted:
        must_be_free(wanted, what, variable, progress)
        return wanted
    return remembered if remembered and is_free(remembered) else free_port()


def is_free(port: int) -> bool:
    """Say whether ``port`` of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def must_be_free(port: int, what: str, variable: str, progress: Callable[[str], None] = lambda _: None) -> None:
    """Check that ``port`` of 127.0.0.1 can be listened on; where only a connection has it, wait for that to end.

    Raises:
        DevstackError: it is in use; the text names who holds it, where that is known, and the ``variable`` to change.
    """
    holder, since = holder_of(port), time.monotonic()
    while not is_free(port):
        if (present := holder_of(port)) != holder:  # a connection that ends is another holder: a closed connection
            holder, since = present, time.monotonic()
        if time.monotonic() - since >= holder.seconds:
            text = f"port {port} for {what} is in use{holder.words}; stop that, or choose another port: {variable}=…"
            raise DevstackError(text)
        progress(f"waiting for port {port}, in use{holder.words}")
        time.sleep(_LOOK_SECONDS)


def _kept(port: int) -> bool:
    """Keep ``port`` for this process, as far as others ask here; say whether nobody had it."""
    file = os.open(_marks() / str(port), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it ends with the process, however that ends
    except BlockingIOError:
        os.close(file)
        return False
    return True


@cache
def _marks() -> Path:
    folder = Path(tempfile.gettempdir()) / f"order-saga-ports-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
