"""How full the outbox is. With Kafka away it grows with every origin write, so it has a bound."""

import asyncio

from prometheus_client import Gauge

from sagakit.errors import Exhausted
from sagakit.outbox import table
from sagakit.postgres.database import Database
from sagakit.runtime.logs import logger, one_line

log = logger("outbox")

_ROWS = Gauge("sagakit_outbox_rows", "Rows in the outbox at the last count; no more than its limit are counted.")


class OutboxBound:
    """Knows about how many rows the outbox holds without asking the database for each write.

    It counts them every so often; in between it adds what this process stores and takes off what it removes. What may
    be counted twice is, so that this process keeps to the bound; what other replicas do shows with the next count, so
    together they keep it to within what they store in one interval. Used in the event loop only.
    """

    def __init__(self, database: Database, *, limit: int, interval_seconds: float) -> None:
        """Keep the outbox of ``database`` to ``limit`` rows, counted every ``interval_seconds`` by `run`."""
        self._database, self._limit, self._interval = database, limit, interval_seconds
        self._counted = self._since = self._reserved = 0
        self._full = False

    def reserve(self, wanted: int) -> int:
        """Reserve room for up to ``wanted`` rows; return for how many there was room. `settle` must follow."""
        room = max(0, min(wanted, self._limit - self._counted - self._since - self._reserved))
        self._reserved += room
        return room

    def settle(self, room: int, stored: int) -> None:
        """Say that of ``room`` that was reserved ``stored`` rows came to be."""
        self._reserved -= room
        self._since += stored

    def removed(self, rows: int) -> None:
        """Say that ``rows`` are gone from the outbox."""
        self._since -= rows

    def full(self) -> Exhausted:
        """Return the error that tells a caller that there is no room."""
        return Exhausted("OUTBOX_FULL", f"{self._limit} messages wait for Kafka; nothing was stored, try again later")

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            try:
                await self.count()
            except Exception as error:  # noqa: BLE001 - with the database away nothing is stored either
                log.warning("outbox not counted", error=one_line(error))
            await asyncio.sleep(self._interval)

    async def count(self) -> None:
        """Count the rows now."""
        before = self._since
        self._counted = await self._database.run(lambda tx: table.count(tx, self._limit))
        # What changed while it was counted may be in the count or not.
        self._since = max(0, self._since - before)
        _ROWS.set(self._counted)
        full = self._counted >= self._limit
        if full != self._full:
            self._full = full
            if full:
                log.error("outbox full: writes are refused until Kafka takes what waits", rows=self._counted)
            else:
                log.info("outbox has room again", rows=self._counted)
