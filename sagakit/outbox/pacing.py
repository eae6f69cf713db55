"""Pacing: what comes in a crowd is taken in few large groups rather than in many small ones.

A group under way gathers the next one only as long as it takes. Under load that makes groups so small that handling
them is what keeps the machine busy; and what is written together passes every later stage together.
"""

import asyncio
import math
from collections.abc import Callable

_CROWD = 16
"""Smaller groups are followed by the next one at once: so where fewer than 400 come a second, nobody waits."""
_APART_SECONDS = 0.04
_QUIET_SECONDS = 0.003
"""Of a thousand arrivals a second every fifth comes 1.5 ms after the one before, and one in twenty so long after it."""


class Pacing:
    """Holds the next group up for a moment, where the last one was a crowd."""

    def __init__(self) -> None:
        """Begin without a pause."""
        self._size, self._began = 0, -math.inf

    def note(self, size: int) -> None:
        """Note that a group of ``size`` items begins."""
        self._size, self._began = size, asyncio.get_running_loop().time()

    async def hold(self, waiting: Callable[[], int], most: int) -> None:
        """Wait until 40 ms have passed since the last group began, if that was a crowd.

        But not longer than until ``most`` are ``waiting``, or as many as the last group had and, for 3 ms, no more:
        callers who call again as soon as they are answered must not wait for others who never come.
        """
        if self._size < _CROWD:
            return
        now = asyncio.get_running_loop().time
        until = self._began + _APART_SECONDS
        before = -1
        while self._goes_on(before, waiting(), most) and (left := until - now()) > 0:
            before = waiting()
            await asyncio.sleep(min(left, _QUIET_SECONDS))

    def _goes_on(self, before: int, waiting: int, most: int) -> bool:
        return waiting < most and not before == waiting >= self._size
