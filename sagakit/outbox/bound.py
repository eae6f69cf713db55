"""How full the outbox is. While Kafka is away it grows with every write, so it has a bound."""

import asyncio

from prometheus_client import Gauge

from sagakit.errors import Exhausted
from sagakit.outbox import table
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger, one_line

log = logger("outbox")

_ROWS = Gauge("sagakit_outbox_rows", "Rows in the outbox at the last count; no more than its limit are counted.")
_OLDEST = Gauge("sagakit_outbox_oldest_seconds", "Age of the outbox's oldest row at the last count; 0 without one.")


def outbox_full() -> Exhausted:
    """Return the error for a caller whose message has no room in the outbox."""
    return Exhausted("OUTBOX_FULL", "too many messages wait for Kafka; nothing was stored, try again later")


class OutboxBound:
    """Knows about how many rows the outbox holds, without asking the database for each write.

    It counts the rows at intervals. In between it adds the rows that this process stores, and subtracts those that it
    removes. A row that may be in the count or not is added, so this process never exceeds the bound. It sees the rows
    of other replicas with the next count; so all together exceed the bound by what they store in one interval at most.
    Use it in the event loop only.
    """

    def __init__(self, database: Database, *, limit: int, interval_seconds: float) -> None:
        """Bound the outbox of ``database`` to ``limit`` rows; `run` counts them every ``interval_seconds``."""
        self._database, self._limit, self._interval = database, limit, interval_seconds
        self._counted = self._since = self._reserved = 0
        self._full = False

    def reserve(self, wanted: int) -> int:
        """Reserve room for up to ``wanted`` rows; return for how many there was room. `settle` must follow."""
        room = max(0, min(wanted, self._limit - self._counted - self._since - self._reserved))
        self._reserved += room
        return room

    def settle(self, room: int, stored: int) -> None:
        """Give back ``room`` that was reserved; ``stored`` rows were stored."""
        self._reserved -= room
        self._since += stored

    def removed(self, rows: int) -> None:
        """Note that so many ``rows`` were removed from the outbox."""
        self._since -= rows

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
        self._counted, oldest = await self._database.run(self._look)
        # What changed while it was counted may be in the count or not.
        self._since = max(0, self._since - before)
        _ROWS.set(self._counted)
        _OLDEST.set(oldest)
        full = self._counted >= self._limit
        if full != self._full:
            self._full = full
            if full:
                log.error("outbox full: writes are refused until Kafka takes what waits", rows=self._counted)
            else:
                log.info("outbox has room again", rows=self._counted)

    def _look(self, tx: Transaction) -> tuple[int, float]:
        oldest = table.oldest_seconds(tx)
        return table.count(tx, self._limit), oldest()
