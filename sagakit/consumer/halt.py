"""The halt of a consumer: where it can handle no message at all, the code is taken to be bad, and not the data.

Parking would then empty a whole topic into the dead letters. So the consumer stands still and tries again by itself:
first after a second, later every half minute. Once the cause is gone, it goes on.
"""

import time
from datetime import UTC, datetime

from sagakit.runtime import metrics
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 30.0
_RESTART_SECONDS = 300.0


class Halt:
    """Whether one consumer is halted, since when, and why."""

    def __init__(self) -> None:
        """Begin as not halted."""
        self._reason = ""
        self._since = self._began = 0.0
        self._tries = 0
        self._worked = False
        metrics.HALTED.set(0)
        metrics.HALTED_SINCE.set(0)

    @property
    def on(self) -> bool:
        """Whether it is halted."""
        return self._tries > 0

    @property
    def calls_for_restart(self) -> bool:
        """Whether a new process may help: this one has handled messages, and then failed for five minutes.

        What has failed since a process began fails in the next one, too.
        """
        return self.on and self._worked and time.monotonic() - self._began > _RESTART_SECONDS

    def failed(self, error: Exception) -> float:
        """Halt because of ``error``, or stay halted; return in how many seconds to try again."""
        reason = f"{type(error).__name__}: {one_line(error)}"
        if not self.on:
            self._since, self._began = time.time(), time.monotonic()
            metrics.HALTED.set(1)
            metrics.HALTED_SINCE.set(self._since)
        if reason != self._reason:
            metrics.HALTED_REASON.clear()
            metrics.HALTED_REASON.labels(reason).set(1)
        self._reason = reason
        again = min(_LONGEST_SECONDS, _FIRST_SECONDS * float(2 ** min(self._tries, 10)))
        self._tries += 1
        since = datetime.fromtimestamp(self._since, UTC).isoformat(timespec="seconds")
        log.critical(
            "consuming is halted: this looks like a bad deploy, not bad data",
            reason=reason,
            since=since,
            again_in_seconds=again,
            exc_info=error,
        )
        return again

    def worked(self) -> None:
        """Note that a batch was handled or parked, which ends the halt."""
        self._worked = True
        self.end()

    def end(self) -> None:
        """End the halt, as nothing fails any more."""
        if not self.on:
            return
        log.warning("consuming goes on", halted_seconds=round(time.monotonic() - self._began, 1))
        self._tries, self._reason = 0, ""
        metrics.HALTED.set(0)
        metrics.HALTED_SINCE.set(0)
        metrics.HALTED_REASON.clear()
