"""Periodic work in a thread of its own."""

import threading
from collections.abc import Callable

from sagakit.families import passes
from sagakit.runtime.logs import logger, one_line

log = logger("periodic")

_STOP_SECONDS = 5.0


class Periodic:
    """Makes a pass at an interval. While passes fail, the pauses between them grow.

    A pass may be cut off at any moment, as by a crash, and must allow for that.
    """

    def __init__(
        self, name: str, do: Callable[[], bool], *, interval_seconds: float, longest_backoff_seconds: float = 5.0
    ) -> None:
        """Call ``do`` every ``interval_seconds``, and again at once whenever it returns that more is left.

        Its errors are logged under ``name``; the pauses then double, up to ``longest_backoff_seconds``.
        """
        self._name, self._do, self._interval = name, do, interval_seconds
        self._longest = max(interval_seconds, longest_backoff_seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present pass. Return once it is done, or after five seconds, as it may wait for a server."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.wait(min(self._longest, self._interval * 2 ** min(failures, 16))):
            try:
                while self._do() and not self._stopping.is_set():
                    pass
                failures = 0
            except Exception as error:
                failures += 1
                if passes(error):
                    text = one_line(error)
                    log.warning("pass failed", name=self._name, failures=failures, error=text)
                else:
                    log.exception("pass failed", name=self._name, failures=failures)
