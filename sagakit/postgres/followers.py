"""Those who follow changes, as the listener in their event loop hears of them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping

_MOST_CHANGES = 50_000
"""The last changes that are kept for whoever follows everything; who asks later is told that some were missed."""
_AT_ONCE = 1000
"""Changes that are told at once."""


class Follower(ABC):
    """Tells what has changed, whenever it is asked."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._missed = False
        self._something = asyncio.Event()

    async def next(self, within_seconds: float | None = None) -> Mapping[int, str] | None:
        """Wait until something has changed, and return it; None where notifications may be missing.

        After ``within_seconds`` it returns None as well: a notification may be lost with its connection. Each id comes
        with its news, which are empty where there are none, or where it changed more than once. Where much has changed,
        the rest comes with the next call.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        except TimeoutError:
            return None
        self._something.clear()
        missed, self._missed = self._missed, False
        return self._take(missed=missed)

    def note_missed(self) -> None:
        """Note that anything may have changed."""
        self._missed = True
        self._something.set()

    def reads_all(self) -> None:
        """Note that everything is about to be read, so that what may have been missed until now does not matter.

        What is noted from now on is told, and not passed over for the sake of what was missed before.
        """
        self._missed = False

    @abstractmethod
    def _take(self, *, missed: bool) -> Mapping[int, str] | None:
        """Return what has changed, and pass it over; None, and pass all over, where it is not known what was missed."""


class FollowerOfOne(Follower):
    """Keeps what has become of one thing."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        super().__init__()
        self._changed: dict[int, str] = {}

    def note(self, one: int, news: str) -> None:
        """Note a change of the thing."""
        self._changed[one] = "" if one in self._changed else news
        self._something.set()

    def _take(self, *, missed: bool) -> Mapping[int, str] | None:
        changed, self._changed = self._changed, {}
        return None if missed else changed


class Recent:
    """The last changes of all things, once for all who follow them: so a follower who does not ask takes no memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._changes: list[tuple[int, str]] = []
        self.end = 0
        """How many changes there were."""

    def note(self, changes: Mapping[int, str]) -> None:
        """Add ``changes``; the oldest are overwritten."""
        for change in changes.items():
            if self.end < _MOST_CHANGES:
                self._changes.append(change)
            else:
                self._changes[self.end % _MOST_CHANGES] = change
            self.end += 1

    def between(self, start: int, end: int) -> Mapping[int, str] | None:
        """Return the changes from number ``start`` on, up to ``end``; None where the first of them is overwritten."""
        if self.end - start > _MOST_CHANGES:
            return None
        found: dict[int, str] = {}
        for number in range(start, end):
            one, news = self._changes[number % _MOST_CHANGES]
            found[one] = "" if one in found else news
        return found


class FollowerOfAll(Follower):
    """Keeps how far it has come in what is known to all."""

    def __init__(self, recent: Recent) -> None:
        """Follow what becomes known to ``recent`` from now on."""
        super().__init__()
        self._recent, self._seen = recent, recent.end

    def note(self) -> None:
        """Note that there is something new."""
        self._something.set()

    def _take(self, *, missed: bool) -> Mapping[int, str] | None:
        start, self._seen = self._seen, min(self._seen + _AT_ONCE, self._recent.end)
        found = None if missed else self._recent.between(start, self._seen)
        if found is None:
            self._seen = self._recent.end
        elif self._seen < self._recent.end:
            self._something.set()
        return found
