"""Group commit in the application: calls that wait while one round trip is under way share the next one.

So a hundred waiting calls cost one transaction. A call may bring several items; each of them gets its own answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sagakit.families import is_separable, passes
from sagakit.outbox.pacing import Pacing
from sagakit.runtime import logs, metrics

Item = TypeVar("Item")
Result = TypeVar("Result")
_Waiting = tuple[Item, asyncio.Future[Result | Exception]]
_MOST_FAILED = 3
"""Where so many fail alone for a passing reason, such as a lock, the rest would too; each may wait ten seconds."""


class GroupCommit(Generic[Item, Result]):
    """Runs one function over all the items that wait, group after group, in the event loop."""

    def __init__(
        self,
        what: str,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        largest: int,
        pacing: Pacing | None = None,
    ) -> None:
        """Group calls of ``run``, which gets up to ``largest`` items and returns a result or an error for each.

        Where ``run`` fails for a whole group, each of its items is tried alone: so a bad item fails alone, and so does
        one that waits in vain for a lock. Where something is away, all fail. ``what`` names the calls in the metrics.
        ``pacing`` may delay a group; without it each begins when the last one has ended.
        """
        self._run, self._largest, self._pacing = run, largest, pacing
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
            return [await future for future in futures]  # they are answered in turn: after the last, none is waited for
        except asyncio.CancelledError:
            for future in futures:
                future.cancel()
            raise

    async def _work(self) -> None:
        logs.speak_of(None)  # the call that began this task is one among those whose items it runs
        try:
            while self._waiting:
                if self._pacing:
                    await self._pacing.hold(lambda: len(self._waiting), self._largest)
                group, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                group = [(item, future) for item, future in group if not future.done()]
                if group:
                    self._sizes.observe(len(group))
                    if self._pacing:
                        self._pacing.note(len(group))
                    await self._run_group(group)
        finally:
            self._worker = None

    async def _run_group(self, group: "list[_Waiting[Item, Result]]") -> None:
        try:
            results = await self._run([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - its caller gets it
            if len(group) > 1 and is_separable(error):
                await self._answer_each(group)
            else:
                _answer(group, [error] * len(group))
        else:
            _answer(group, results)

    async def _answer_each(self, group: "list[_Waiting[Item, Result]]") -> None:
        """Try each item alone; where that shows that all would fail, the rest gets the error of the last one."""
        failed = 0
        for place, (item, future) in enumerate(group):
            if future.done():
                continue
            try:
                results = await self._run([item])
            except Exception as error:  # noqa: BLE001 - its caller gets it
                _answer([(item, future)], [error])
                failed += passes(error)
                if failed == _MOST_FAILED or not is_separable(error):
                    rest = group[place + 1 :]
                    _answer(rest, [error] * len(rest))
                    return
            else:
                _answer([(item, future)], results)


def _answer(group: "Sequence[_Waiting[Item, Result]]", results: Sequence[Result | Exception]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if not future.done():
            future.set_result(result)
