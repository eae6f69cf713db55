"""Coalescing: calls that wait while one round trip is under way share the next one.

For writes this is group commit in the application: a hundred waiting calls cost one transaction. A call may bring
several items; each of them is answered by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sagakit.families import is_separable, passes
from sagakit.outbox.pacing import Pacing
from sagakit.runtime import metrics

Item = TypeVar("Item")
Result = TypeVar("Result")
_Waiting = tuple[Item, asyncio.Future[Result | Exception]]
_MOST_TROUBLED = 3
"""Where so many fail alone by what passes, such as locks, it is not theirs alone; each may have waited ten seconds."""


class GroupCommit(Generic[Item, Result]):
    """Runs one function over all the items that wait, group after group, in the event loop."""

    def __init__(
        self,
        what: str,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        largest: int,
        pace: Pacing | None = None,
    ) -> None:
        """Coalesce calls of ``run``, which gets up to ``largest`` items and returns a result or an error for each.

        Where ``run`` fails for a whole group, each of its items is tried alone, so that a bad one fails alone, and so
        does one that waits in vain for a lock; unless something is away, which is every item's error. ``what`` names
        the calls in the metrics. ``pace`` may hold groups up; else each begins when the last has ended.
        """
        self._run, self._largest, self._pace = run, largest, pace
        self._waiting: list[_Waiting[Item, Result]] = []
        self._worker: asyncio.Task[None] | None = None
        self._sizes = metrics.GROUP_COMMIT_CALLS.labels(what)

    async def __call__(self, item: Item) -> Result:
        """Have ``item`` run with the next group and return its result.

        A caller that is cancelled before its group begins has no effect.
        """
        (result,) = await self.all([item])
        if isinstance(result, Exception):
            raise result
        return result

    async def all(self, items: Sequence[Item]) -> list[Result | Exception]:
        """Have ``items`` run with the next groups, among those of other callers; return each one's result or error.

        A caller that is cancelled leaves no effect of those whose group has not begun.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result | Exception]] = [loop.create_future() for _ in items]
        self._waiting += zip(items, futures, strict=True)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            return [await future for future in futures]  # they are settled in turn: after the last, none is waited for
        except asyncio.CancelledError:
            for future in futures:
                future.cancel()
            raise

    async def _work(self) -> None:
        try:
            while self._waiting:
                if self._pace:
                    await self._pace.hold(lambda: len(self._waiting), self._largest)
                group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                group = [(item, future) for item, future in group if not future.done()]
                if group:
                    self._sizes.observe(len(group))
                    if self._pace:
                        self._pace.note(len(group))
                    await self._settle(group)
        finally:
            self._worker = None

    async def _settle(self, group: "list[_Waiting[Item, Result]]") -> None:
        try:
            results = await self._run([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - it is handed to its caller
            if len(group) > 1 and is_separable(error):
                await self._settle_each(group)
            else:
                _tell(group, [error] * len(group))
        else:
            _tell(group, results)

    async def _settle_each(self, group: "list[_Waiting[Item, Result]]") -> None:
        """Try each alone; where that shows that the trouble is everybody's, the rest gets the last one's error."""
        troubled = 0
        for place, (item, future) in enumerate(group):
            if future.done():
                continue
            try:
                results = await self._run([item])
            except Exception as error:  # noqa: BLE001 - it is handed to its caller
                _tell([(item, future)], [error])
                troubled += passes(error)
                if troubled == _MOST_TROUBLED or not is_separable(error):
                    rest = group[place + 1 :]
                    _tell(rest, [error] * len(rest))
                    return
            else:
                _tell([(item, future)], results)


def _tell(group: "Sequence[_Waiting[Item, Result]]", results: Sequence[Result | Exception]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if not future.done():
            future.set_result(result)
