"""Jobs: what is done to many things, one after the other, with a result for each."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
    token: str = field(repr=False)
    """Whose job it is; only they see it."""
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
    """The jobs of this console, kept in memory until there are too many."""

    def __init__(self) -> None:
        """Begin with none."""
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, title: str, token: str, items: Iterable[Item], work: Work, size: int) -> Job:
        """Begin ``work`` on ``items``, ``size`` of them at a time."""
        job = Job(secrets.token_urlsafe(9), title, token, list(items))
        self._jobs[job.id] = job
        if len(self._jobs) > _MOST_JOBS:
            self._jobs.popitem(last=False)
        task = asyncio.create_task(_run(job, work, size))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def get(self, job_id: str, token: str) -> Job | None:
        """Return a job by its id; None where there is none of this token's."""
        job = self._jobs.get(job_id)
        return job if job is not None and secrets.compare_digest(job.token.encode(), token.encode()) else None

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
