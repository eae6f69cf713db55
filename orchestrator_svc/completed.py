"""Completed orders whose sagas the database has forgotten: a cancel of theirs comes too late.

Messages that are read again advance a forgotten saga a second time, and a cancel may then be read before the replies
that had come before it. So before a cancel is obeyed, order_svc's command topic is searched for the order's completion.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from confluent_kafka import KafkaException
from ordersaga.messages import CompleteOrderCommand, OrderCancelRequested

from sagakit.avro.codec import Codec
from sagakit.errors import Poison, Unavailable
from sagakit.kafka.consumed import Partition, headers_of
from sagakit.offsets import rereading
from sagakit.offsets.group_lag import GroupLag
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record

_APART = timedelta(minutes=1)
"""How far the clocks of two machines may differ."""


class Completed:
    """Rereads the commands to complete orders while the database lacks messages; used by one thread."""

    def __init__(
        self, client: rereading.Client, codec: Codec, lag: GroupLag, topic: str = CompleteOrderCommand.TOPIC
    ) -> None:
        """Read ``topic`` with the Kafka properties ``client``; ``lag`` knows whether the database lacks messages."""
        self._client, self._codec, self._lag, self._topic = client, codec, lag, topic
        self._asker = rereading.reader(client)
        self._forget()

    def among(self, cancels: Sequence[Record], tx: Transaction) -> set[int]:
        """Return the ids of ``cancels`` whose orders were completed, though the database of ``tx`` has forgotten it.

        Raises:
            Unavailable: the brokers do not answer.
        """
        if not self._lag.is_missing_now(tx):
            self._forget()
            return set()
        since = min(cancel.create_time for cancel in cancels if isinstance(cancel, OrderCancelRequested)) - _APART
        try:
            self._read(since)
        except KafkaException as error:
            self._asker.close()
            self._asker = rereading.reader(self._client)
            raise Unavailable(f"Kafka cannot be asked for completed orders: {error}") from error
        return {cancel.key for cancel in cancels} & self._completed

    def _forget(self) -> None:
        self._completed = set[int]()
        self._since: datetime | None = None
        self._reached = dict[Partition, int]()

    def _read(self, since: datetime) -> None:
        """Add the orders completed from ``since`` on; nothing is read twice."""
        ends = rereading.ends(self._asker, self._topic)
        if self._since is None or since < self._since:
            self._since, self._reached = since, rereading.places_at(self._asker, ends, since)
        begin = {partition: self._reached.get(partition, 0) for partition in ends}
        lay_at = time.monotonic()
        for message in rereading.between(self._client, begin, ends):
            try:
                head = dict(headers_of(message))
                record = self._codec.decode(self._topic, message.key(), message.value(), head, lay_at)
            except Poison:
                continue  # the group that consumes the topic parks it
            if isinstance(record, CompleteOrderCommand):
                self._completed.add(record.key)
        self._reached = ends
