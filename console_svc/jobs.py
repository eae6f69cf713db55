"""Jobs: what is done to many things, one after the other, with a result for each."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import grpc

from console_svc.failures import CallFailed
from sagakit.runtime.logs import logger

log = logger("console")
_MOST_JOBS = 100


@dataclass
class Item:
    """One of the things."""

    key: str
    href: str
    state: str = "waiting"
    """``waiting``, ``done`` or ``failed``."""
    text: str = ""
    """What came of it."""

    def end(self, text: str, *, good: bool) -> None:
        """Note what came of it."""
        self.state, self.text = ("done" if good else "failed"), text


@dataclass
class Job:
    """What is done to many things."""

    id: str
    title: str
    owner: str
    """The subject whose job it is; only they see it, by whichever token."""
    items: list[Item]
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    trouble: str = ""

    def count(self, state: str) -> int:
        """Return how many things are in ``state``."""
        return sum(item.state == state for item in self.items)


Work = Callable[[list[Item]], Awaitable[None]]
"""Does something to each of some things, and notes what came of it."""


class Jobs:
    """The jobs of this console, kept in memory until there are too many; those that go on stay."""

    def __init__(self) -> None:
        """Begin with none."""
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, title: str, owner: str, items: Iterable[Item], work: Work, size: int) -> Job:
        """Begin ``work`` on ``items``, ``size`` of them at a time.

        Raises:
            CallFailed: as many jobs go on as there may be.
        """
        self._make_room()
        job = Job(secrets.token_urlsafe(9), title, owner, list(items))
        self._jobs[job.id] = job
        task = asyncio.create_task(_run(job, work, size))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def _make_room(self) -> None:
        if len(self._jobs) < _MOST_JOBS:
            return
        oldest = next((job.id for job in self._jobs.values() if job.ended), None)
        if oldest is None:
            text = f"{_MOST_JOBS} jobs are under way, and there may be no more. Nothing was done: try again later."
            raise CallFailed(text, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_JOBS")
        del self._jobs[oldest]

    def get(self, job_id: str, owner: str) -> Job | None:
        """Return a job by its id; None where there is none of this owner's."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.owner == owner else None

    async def close(self) -> None:
        """Break off those that go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run(job: Job, work: Work, size: int) -> None:
    try:
        for first in range(0, len(job.items), size):
            await work(job.items[first : first + size])
    except Exception as error:
        log.exception("a job was broken off", job=job.title)
        job.trouble = f"It was broken off: {error}"
    finally:
        job.ended = datetime.now(UTC)
