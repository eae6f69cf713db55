"""Processes of the four services: the real code, wired as each one's ``__main__`` does."""

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

from ordersaga.messages import RECORDS

from order_svc.announcer import Announcer
from order_svc.cancelling import Cancelling
from order_svc.intake import Intake
from sagakit.avro.codec import Codec
from sagakit.consumer.dispatch import Handle
from sagakit.errors import Refused
from sagakit.families import passes
from sagakit.messages import Outgoing
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.relay import Relay
from sagakit.outbox.writer import OutboxWriter
from sagakit.records import Record
from sagakit.testing.world.broker import Stored
from sagakit.testing.world.green import Green
from sagakit.testing.world.loop import Loop
from sagakit.testing.world.processes import Process
from sagakit.testing.world.registry import codec_of

ANNOUNCE_AFTER = 120.0
RELAY_AFTER = 5.0
_LIMIT = 200


class OrderProcess(Process):
    """order_svc, with its calls, its relay and its announcer."""

    def equip(self) -> Handle:
        self.outbox_bound = OutboxBound(self.database, limit=1000, interval_seconds=1.0)
        writer = OutboxWriter(self.database, self.codec, self.producer, self.outbox_bound)
        self.intake = Intake(writer, announce_after_seconds=ANNOUNCE_AFTER)
        self.cancelling = Cancelling(writer)
        self.relay = Relay(self.database, self.producer, age_seconds=RELAY_AFTER, interval_seconds=1.0)
        self.announcer = Announcer(
            self.database,
            self.codec,
            self.producer,
            after_seconds=ANNOUNCE_AFTER,
            interval_seconds=5.0,
            limit=_LIMIT,
        )
        self._loop = Loop()
        self._calls: set[Any] = set()
        Green(self, self._serve)
        return super().equip()

    def call(self, *calls: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have ``calls`` come in together; what they raise is for their callers."""
        self._loop.call_soon_threadsafe(lambda: self._calls.update(map(self._answered, calls)))

    def _answered(self, call: Callable[[], Coroutine[Any, Any, None]]) -> object:
        async def answered() -> None:
            try:
                await call()
            except Exception as error:
                if not (passes(error) or isinstance(error, Refused)):
                    raise

        return self._loop.create_task(answered())

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


@cache
def codec() -> Codec:
    """Return what every process encodes and decodes with, its schemas looked up."""
    return codec_of(*RECORDS)


def decoded(topic: str, stored: Stored) -> Record:
    """Return what a message of one of the six topics tells."""
    return codec().decode(topic, stored.key, stored.value, dict(stored.headers))


def encoded(record: Record) -> bytes:
    """Return the bytes of ``record``."""
    return codec().encode(Outgoing(record)).value or b""
