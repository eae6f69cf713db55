"""What the services report of themselves: readiness with its reason, and some of their metrics.

All who look share one reading of each service. It is made in threads of its own, so that a service that is slow holds
up neither another's report nor what the console does in its other threads.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from console_svc.settings import ConsoleSettings
from sagakit.runtime.reported import UNREADABLE, Report, read_report

_FRESH_SECONDS: Final = 0.9
_PATIENCE_SECONDS: Final = 2.0
"""How long a page waits for a report before it shows the one before, or that there is none."""
_OLDEST_SECONDS: Final = 6.0
"""How old a report may be that is shown: older than the longest reading of a service that answers at all."""


class Reports:
    """Reads the reports for all who look."""

    def __init__(self, settings: ConsoleSettings) -> None:
        """Read the reports of the services in ``settings``."""
        self._settings = settings
        self._threads = ThreadPoolExecutor(len(settings.metrics), "reports")
        self._readings: dict[str, asyncio.Task[None]] = {}
        self._known: dict[str, tuple[float, Report]] = {}

    async def read(self) -> list[Report]:
        """Return the report of each service, as it was within the last second unless the service is slow."""
        for name, address in self._settings.metrics:
            if name not in self._readings and self._age(name) >= _FRESH_SECONDS:
                self._readings[name] = asyncio.create_task(self._renew(name, address))
        if self._readings:
            await asyncio.wait(set(self._readings.values()), timeout=_PATIENCE_SECONDS)
        return [self._report(name, address) for name, address in self._settings.metrics]

    async def _renew(self, name: str, address: str) -> None:
        try:
            report = await asyncio.get_running_loop().run_in_executor(self._threads, self._look, name, address)
            self._known[name] = time.monotonic(), report
        finally:
            del self._readings[name]

    def _look(self, name: str, address: str) -> Report:
        try:
            context = self._settings.context()  # its files are read in this thread, each time: they are replaced
        except UNREADABLE as error:
            return Report(name, address, reason=f"the files of METRICS_TLS_… cannot be read: {error}")
        return read_report(name, address, context)

    def _age(self, name: str) -> float:
        at = self._known[name][0] if name in self._known else float("-inf")
        return time.monotonic() - at

    def _report(self, name: str, address: str) -> Report:
        if self._age(name) <= _OLDEST_SECONDS:
            return self._known[name][1]
        return Report(name, address, reason="it takes long to answer, or does not")

    def close(self) -> None:
        """Begin no more readings."""
        self._threads.shutdown(wait=False, cancel_futures=True)
