"""Periodic work on rows that are due: a row that fails by a fault of its own must not keep the others waiting.

The number of rows is halved until the one that fails is alone, as the consumer does with a batch. That row is set aside
for a minute, each further time for twice as long up to ten minutes, and then tried again: its fault may be mended by
then.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import Counter

from sagakit.families import passes
from sagakit.runtime.logs import logger, one_line

log = logger("set_aside")

_SET_ASIDE = Counter("sagakit_rows_set_aside_total", "Times that a row failed alone and was left out.", ["what"])
_FIRST_SECONDS = 60.0
_LONGEST_SECONDS = 600.0
_MOST_IN_A_ROW = 10
"""After so many rows that fail alone, with none done, the pass fails: the fault may be ours."""

T = TypeVar("T")


@dataclass
class Claim:
    """Which rows to lock: up to ``limit`` that are due, without those in ``set_aside``; ``ids`` are the locked ones."""

    limit: int
    set_aside: Sequence[int]
    ids: Sequence[int] = ()


class SetAside:
    """The rows of one table that are set aside; used by one thread."""

    def __init__(self, what: str, most: int, report: Callable[[int, str], None] = lambda _, __: None) -> None:
        """Work on up to ``most`` rows at once; logs and metrics call one of them ``what``.

        ``report`` is called with each row that is set aside, and its error.
        """
        self._what, self._most, self._limit, self._report = what, most, most, report
        self._until: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        _SET_ASIDE.labels(what)

    @property
    def ids(self) -> list[int]:
        """The rows that are set aside now."""
        now = time.monotonic()
        return [one for one, until in self._until.items() if until > now]

    def work(self, do: Callable[[Claim], T], failed: Callable[[int, Exception], None] = lambda _, __: None) -> T:
        """Return what ``do`` returns. It locks rows as the claim says, notes their ids in it, and works on them.

        ``failed`` is called with each row that is set aside, and its error.

        Raises:
            Exception: what ``do`` raised, where that passes by itself or row after row fails.
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
                    failed(claim.ids[0], error)
            else:
                self._limit = min(self._most, 2 * self._limit)
                for one in self._failures.keys() & set(claim.ids):
                    del self._failures[one], self._until[one]
                return done

    def _set_aside(self, one: int, error: Exception) -> None:
        given_up = time.monotonic() - _LONGEST_SECONDS  # rows not seen since were dealt with elsewhere
        self._until = {other: until for other, until in self._until.items() if until > given_up}
        self._failures = {other: count for other, count in self._failures.items() if other in self._until}
        failures = self._failures.get(one, 0)
        seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(failures, 10))
        self._failures[one], self._until[one] = failures + 1, time.monotonic() + seconds
        _SET_ASIDE.labels(self._what).inc()
        text = f"{type(error).__name__}: {one_line(error)}"
        trace = None if failures else error
        log.error("set aside", what=self._what, id=one, again_in_seconds=seconds, error=text, exc_info=trace)
        self._report(one, text)
