"""Work on rows that are due, again and again: one that fails by a fault of its own must not keep the others waiting.

As the consumer does with a batch, fewer and fewer rows are taken until the one that fails is
alone. It is set aside for a minute, each further time for twice as long up to ten minutes, and then tried again:
whatever its fault was may be mended by then.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import Counter

from sagakit.families import passes
from sagakit.runtime.logs import logger, one_line

log = logger("aside")

_SET_ASIDE = Counter("sagakit_rows_set_aside_total", "Times that a row failed alone and was left out.", ["what"])
_FIRST_SECONDS = 60.0
_LONGEST_SECONDS = 600.0
_MOST_IN_A_ROW = 10
"""Where so many fail alone and none is done, more of them can wait for the next pass: the fault may be ours."""

T = TypeVar("T")


@dataclass
class Claim:
    """Which rows to lock: up to ``limit`` of those that are due and not set ``aside``; ``ids`` are those that were."""

    limit: int
    aside: Sequence[int]
    ids: Sequence[int] = ()


class SetAside:
    """The rows of one table that are set aside; for the thread that works on it."""

    def __init__(self, what: str, most: int, tell: Callable[[int, str], None] = lambda _, __: None) -> None:
        """Work on up to ``most`` rows at once; ``what`` one of them is, logs and metrics say.

        ``tell`` is called with each row that is set aside, and its error.
        """
        self._what, self._most, self._limit, self._tell = what, most, most, tell
        self._until: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        _SET_ASIDE.labels(what)

    @property
    def ids(self) -> list[int]:
        """Those that are set aside now."""
        now = time.monotonic()
        return [one for one, until in self._until.items() if until > now]

    def work(self, do: Callable[[Claim], T]) -> T:
        """Return what ``do`` returns, which locks what the claim says, notes the ids in it, and does it or raises.

        Raises:
            Exception: what ``do`` raises, where that passes by itself or row after row fails.
        """
        alone = 0
        while True:
            claim = Claim(self._limit, self.ids)
            try:
                done = do(claim)
            except Exception as error:
                if passes(error) or not claim.ids or alone == _MOST_IN_A_ROW:
                    raise
                if len(claim.ids) > 1:
                    self._limit = len(claim.ids) // 2
                else:
                    alone += 1
                    self._set_aside(claim.ids[0], error)
            else:
                self._limit = min(self._most, 2 * self._limit)
                for one in self._failures.keys() & set(claim.ids):
                    del self._failures[one], self._until[one]
                return done

    def _set_aside(self, one: int, error: Exception) -> None:
        given_up = time.monotonic() - _LONGEST_SECONDS  # those have been dealt with elsewhere
        self._until = {other: until for other, until in self._until.items() if until > given_up}
        self._failures = {other: count for other, count in self._failures.items() if other in self._until}
        failures = self._failures.get(one, 0)
        seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures, 10))
        self._failures[one], self._until[one] = failures + 1, time.monotonic() + seconds
        _SET_ASIDE.labels(self._what).inc()
        text = f"{type(error).__name__}: {one_line(error)}"
        trace = None if failures else error
        log.error("set aside", what=self._what, id=one, again_in_seconds=seconds, error=text, exc_info=trace)
        self._tell(one, text)
