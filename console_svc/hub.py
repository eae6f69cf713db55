"""The hub: one look a second for all who see the same, and none while nobody looks."""

import asyncio
import time
from contextlib import suppress

from console_svc.pulse import Pulse, take
from console_svc.sources import Sources
from sagakit.runtime.logs import logger

log = logger("console")

LOOK_SECONDS = 1.0
"""How often the pulse is taken."""
_LINGER_SECONDS = 10.0
"""How long the hub goes on after the last has left: a browser that goes to another page comes back at once."""


class Hub:
    """What those see who look with the same token."""

    def __init__(self, sources: Sources, token: str) -> None:
        """Ask ``sources`` with ``token``, from when somebody joins."""
        self._sources, self._token = sources, token
        self._lookers = 0
        self._left_at = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._pulse: Pulse | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody has looked for a while, so that it may be forgotten."""
        return self._lookers == 0 and time.monotonic() - self._left_at > _LINGER_SECONDS and self._task is None

    async def pulse(self) -> Pulse:
        """Return the pulse, not older than two looks."""
        if self._task is None or self._pulse is None:
            return await take(self._sources, self._token)
        return self._pulse

    def join(self) -> None:
        """Begin to look; `leave` must follow."""
        self._lookers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def leave(self) -> None:
        """Look no more."""
        self._lookers -= 1
        self._left_at = time.monotonic()

    async def close(self) -> None:
        """End the tasks."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            while self._lookers or time.monotonic() - self._left_at < _LINGER_SECONDS:
                try:
                    self._pulse = await take(self._sources, self._token)
                except Exception:  # whatever it is, the next look may be better
                    log.exception("a look at the services failed")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._task = None


class Hubs:
    """A hub for each token that somebody looks with."""

    def __init__(self, sources: Sources) -> None:
        """Ask ``sources``."""
        self._sources, self._hubs = sources, dict[str, Hub]()

    def of(self, token: str) -> Hub:
        """Return the hub of those who look with ``token``."""
        for idle in [one for one, hub in self._hubs.items() if hub.is_idle]:
            del self._hubs[idle]
        return self._hubs.setdefault(token, Hub(self._sources, token))

    async def close(self) -> None:
        """End all of them."""
        for hub in self._hubs.values():
            await hub.close()
