"""What a consumer does with batches that its client cannot read: it notes where they lie, and reads on behind them.

The client gives an error for such a batch, again and again, about once a second (`sagakit.kafka.unreadable`). At the
first one a thread begins to find out where the batch ends; with one of the next it is known. Other partitions go on
meanwhile.
"""

import threading
from collections.abc import Container, Mapping
from concurrent.futures import Future

from confluent_kafka import Message as KafkaMessage

from sagakit.kafka.consumed import Partition, Place, source
from sagakit.kafka.unreadable import end_of
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")


class UnreadableBatches:
    """Those of one consumer; used by its thread alone."""

    def __init__(self, client: Mapping[str, str | int | float | bool]) -> None:
        """Look with another client, which has the Kafka properties ``client`` and joins no group."""
        self._client = client
        self._looks: dict[Place, Future[int]] = {}

    def end(self, event: KafkaMessage) -> int | None:
        """Return the offset behind the batch that ``event`` stands for; None as long as that is not known."""
        place = source(event)
        look = self._looks.get(place)
        if look is None:
            self._looks[place] = self._begin(place)
        if look is None or not look.done():
            return None
        del self._looks[place]
        try:
            return look.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again with the next event
            log.warning("cannot find where an unreadable batch ends", error=one_line(error), place=place)
            return None

    def forget(self, partitions: Container[Partition]) -> None:
        """Forget what lies in ``partitions``, which another member has now, or which are read anew."""
        self._looks = {place: look for place, look in self._looks.items() if place[:2] not in partitions}

    def _begin(self, place: Place) -> Future[int]:
        look: Future[int] = Future()

        def run() -> None:
            try:
                look.set_result(end_of(self._client, place))
            except Exception as error:  # noqa: BLE001 - `end` logs it
                look.set_exception(error)

        threading.Thread(target=run, name="unreadable-batches", daemon=True).start()
        return look
