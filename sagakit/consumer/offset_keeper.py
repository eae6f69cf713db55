"""Stores the offsets of what was handled in the database, and commits what is stored to the broker.

While messages come, the transaction of the next batch stores the offsets of the last one. All else is done here.
"""

import time
from collections.abc import Callable

from confluent_kafka import Consumer
from prometheus_client import Gauge

from sagakit.consumer.batch_handler import BatchHandler
from sagakit.offsets.handled import Offsets, WentBackError
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")

_LOOK_SECONDS = 1.0
"""How often an idle consumer checks that the database is still the same."""
_CATCHING_UP = Gauge(
    "sagakit_catching_up_messages",
    "Messages that are read again, because the database went back; 0 where it did not.",
)


class OffsetKeeper:
    """Keeps the offsets of one consumer; used by its thread alone."""

    def __init__(self, offsets: Offsets, handler: BatchHandler) -> None:
        """Keep ``offsets`` by way of the connection that ``handler`` keeps."""
        self._offsets, self._handler = offsets, handler
        self._looked = 0.0
        self._missing = 0

    def keep(self, consumer: Consumer) -> None:
        """Store and commit what it is time for, and check the database; call it as often as you like.

        Where the database is away, nothing is stored, and the next batch finds out.

        Raises:
            WentBackError: the database does not have what it had.
        """
        now = time.monotonic()
        if self._offsets.waits_for_store:
            self._looked = now
            self._do(self._handler.store)
        elif now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._do(self._handler.look)
        if self._offsets.due:
            self._offsets.commit(consumer, wait=False)
        if self._missing or self._offsets.catching_up:
            self.report()

    def close(self, consumer: Consumer, *, wait: bool) -> None:
        """Store and commit all that was handled, so that the next owner does not handle some of it again."""
        if self._offsets.pending:
            try:
                self._do(self._handler.store)
            except WentBackError as error:
                log.warning("the database went back", error=str(error))  # the next owner finds it so
            else:
                self._offsets.commit(consumer, wait=wait)

    def report(self) -> None:
        """Report in log and metrics how much is to be read again."""
        missing = self._offsets.missing
        if self._missing and not missing:
            log.info("caught up: the database has again what it had")
        self._missing = missing
        _CATCHING_UP.set(missing)

    @staticmethod
    def _do(what: Callable[[], None]) -> None:
        try:
            what()
        except WentBackError:
            raise
        except Exception as error:  # noqa: BLE001 - the next batch fails with it too
            log.info("offsets cannot be stored now", error=one_line(error))
