"""Reads the orchestrator's counts of ended sagas, once for all who look."""

import asyncio
import time

from prometheus_client.parser import text_string_to_metric_families

from console_svc.pace import SLOT_SECONDS, Ended, Pace, PaceNow
from console_svc.settings import ConsoleSettings
from sagakit.runtime.reported import UNREADABLE, read_metrics

_ANSWER_SECONDS = 2.0
_STARTED, _BUCKET = ("process_start_time_seconds", "sagakit_saga_seconds_bucket")


class PaceReader:
    """The pace of the sagas, as old as one slot at most while it is looked at."""

    def __init__(self, settings: ConsoleSettings) -> None:
        """Read as ``settings`` say."""
        self._settings = settings
        self._pace = Pace()
        self._at = -float(SLOT_SECONDS)
        self._task: asyncio.Task[None] | None = None

    def look(self) -> PaceNow:
        """Return the pace as it is known, and have it read again where that is due."""
        if self._task is None and time.monotonic() - self._at >= SLOT_SECONDS:
            self._task = asyncio.create_task(self._renew())
        return self._pace.now()

    async def _renew(self) -> None:
        try:
            ended = await asyncio.to_thread(read_ended, self._settings)
            if ended:
                self._pace.note(ended)
        finally:
            self._at, self._task = time.monotonic(), None


def read_ended(settings: ConsoleSettings) -> Ended | None:
    """Return what the orchestrator has counted; None where it does not answer: its health says so."""
    try:
        return ended_of(read_metrics(settings.orchestrator_svc_metrics, settings.context(), _ANSWER_SECONDS))
    except UNREADABLE:
        return None


def ended_of(metrics: str) -> Ended:
    """Return what ``metrics`` say, in Prometheus's text format; of the thousands of lines only these are parsed."""
    lines = [line for line in metrics.splitlines() if line.startswith((_STARTED, _BUCKET))]
    samples = [one for family in text_string_to_metric_families("\n".join(lines) + "\n") for one in family.samples]
    by_status: dict[str, dict[float, float]] = {}
    for sample in samples:
        if sample.name == _BUCKET:
            by_status.setdefault(sample.labels["status"], {})[float(sample.labels["le"])] = sample.value
    return Ended(next((one.value for one in samples if one.name == _STARTED), 0.0), by_status)
