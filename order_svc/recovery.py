"""Recovery of orders that the database has forgotten, from the topic ``order-created``, which has every order.

Other services consume their work again after their database went back. Orders come by calls, so this service rereads
its own messages: from the offset up to which the database is known to be whole. No id is given out a second time.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias, TypeVar

from confluent_kafka import OFFSET_BEGINNING, KafkaException
from ordersaga.messages import OrderCancelRequested, OrderCreated
from prometheus_client import Counter

from order_svc import store
from order_svc.orders import order_in
from sagakit.avro.codec import Codec
from sagakit.consumer.dispatch import Handle
from sagakit.errors import NotHeardOf, Poison, Unavailable
from sagakit.kafka.consumed import Partition, headers_of
from sagakit.messages import Message, Outgoing
from sagakit.offsets import rereading, stored_offsets
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.records import Record
from sagakit.runtime.logs import logger
from sagakit.runtime.periodic import Periodic
from sagakit.trace_context import to_store, trace_of

log = logger("recovery")

_TOPIC = OrderCreated.TOPIC
_INTERVAL_SECONDS = 1.0
_BATCH = 1000
_GAP = 10_000
"""Ids that are skipped after the database went back: orders that never reached Kafka may have been given some."""
_LATE_SECONDS = 30.0
"""How long orders that the database has forgotten may still arrive in Kafka: twice as long as a producer tries."""
_FARTHEST = 10**9
"""An id so far ahead of the last one is forged."""
_NOT_YET = -1
"""The number of the history that is whole, as long as none was looked at."""
_RESTORED = Counter("ordersaga_orders_restored_total", "Orders that the database had forgotten, found again in Kafka.")

T = TypeVar("T")
_Announced: TypeAlias = OrderCreated | OrderCancelRequested


class Recovery(Periodic):
    """Notes up to which offset of ``order-created`` the database is surely whole, and restores what it has forgotten.

    A message is published after its commit. So all messages before the topic's end, as it was a moment ago, are in the
    database and in each later state of it. There is one exception: a replica may have committed to a state that is
    forgotten now, and publish later. So after the database went back each new message is checked for a while.
    """

    def __init__(
        self,
        database: Database,
        codec: Codec,
        client: rereading.Client,
        *,
        announce_after_seconds: float,
    ) -> None:
        """Restore into ``database``, with the Kafka properties ``client``.

        Restored orders are announced again after ``announce_after_seconds``.
        """
        super().__init__("recovery", self._pass, interval_seconds=_INTERVAL_SECONDS)
        self._database, self._codec, self._announce_after = database, codec, announce_after_seconds
        self._client = client
        self._asker = rereading.reader(client)
        database.timelines.whole = _NOT_YET
        self._late_until = 0.0
        """Until when orders of the previous history may still arrive, by the monotonic clock."""
        self._reached: Mapping[Partition, int] = {}
        """The topic's ends at the last look."""

    def guarding(self, handle: Handle) -> Handle:
        """Return ``handle`` with a check that the database is whole: commands may concern orders yet to be restored."""

        def guarded(messages: Sequence[Message[Record]], pipeline: Pipeline) -> list[Outgoing]:
            self._database.timelines.must_be_whole()
            try:
                return handle(messages, pipeline)
            except NotHeardOf as error:
                if self._may_be_late:
                    raise Unavailable(f"it may yet be found in Kafka: {error}") from error
                raise

        return guarded

    @property
    def _may_be_late(self) -> bool:
        """Whether an order that the database has forgotten may still arrive in Kafka."""
        return time.monotonic() < self._late_until

    def recover(self) -> None:
        """Find missing orders, restore them, and note up to where the database is whole.

        Raises:
            Unavailable: the brokers do not answer.
            psycopg.OperationalError: the database is away.
        """
        try:
            self._look()
        except KafkaException as error:
            self._asker.close()
            self._asker = rereading.reader(self._client)
            raise Unavailable(f"Kafka cannot be asked for orders: {error}") from error

    def _pass(self) -> bool:
        self.recover()
        return False

    def _look(self) -> None:
        ends = rereading.ends(self._asker, _TOPIC)
        known = self._database.transact(self._known)
        number = self._database.timelines.number
        if number != self._database.timelines.whole:
            self._make_whole(number, known, ends)
        elif self._may_be_late:
            self._restore_between(self._reached, ends)
        self._reached = ends
        if ends != known:
            self._database.transact(lambda tx: self._note(tx, ends, number))

    def _make_whole(self, number: int, known: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        self._restore_between(known or ends, ends)  # a database without stored offsets is new, and lacks nothing
        if self._database.transact(lambda tx: self._number_on(tx, number)):
            self._late_until = time.monotonic() + _LATE_SECONDS
        self._database.timelines.whole = number

    def _number_on(self, tx: Transaction, number: int) -> bool:
        """Skip ids if another history began, while this process ran or before; say whether one did."""
        timelines = self._database.timelines
        timelines.look(tx)
        line, noted = timelines.line, store.history(tx)
        another = timelines.whole != _NOT_YET or (noted is not None and bool(line) and noted != line)
        if another:
            store.number_on(tx, behind=0, gap=_GAP)
        # A history that began only now is not whole yet. If this process ended, the next one must find it new.
        if line and noted != line and number == timelines.number:
            store.note_history(tx, line)
        return another

    def _restore_between(self, begin: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        """Restore missing orders and requests to cancel them, in parts."""
        for found in _parts(self._read(begin, ends)):
            orders: dict[int, OrderCreated] = {}
            traces: dict[int, str | None] = {}
            cancels: dict[int, OrderCancelRequested] = {}
            for record, trace in found:
                if isinstance(record, OrderCancelRequested):
                    cancels.setdefault(record.key, record)
                else:
                    traces.setdefault(record.key, trace)
                orders.setdefault(record.key, order_in(record) if isinstance(record, OrderCancelRequested) else record)
            self._restore(list(orders.values()), traces)
            if cancels:
                self._restore_cancels(list(cancels.values()))

    def _known(self, tx: Transaction) -> dict[Partition, int]:
        self._database.timelines.look(tx)
        return {partition: at for partition, at in stored_offsets.read(tx).items() if partition[0] == _TOPIC}

    def _note(self, tx: Transaction, ends: Mapping[Partition, int], number: int) -> None:
        self._database.timelines.look(tx)
        if number == self._database.timelines.number:  # else the database went back after we asked for these ends
            stored_offsets.write(tx, ends)

    def _read(
        self, begin: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> Iterator[tuple[_Announced, str | None]]:
        """Read the orders, and the requests to cancel them, from ``begin`` to ``ends``, each with its trace."""
        farthest = self._database.transact(store.last_number) + _FARTHEST
        # A partition that was added since is read from its beginning.
        begin = {partition: begin.get(partition, OFFSET_BEGINNING) for partition in ends}
        lay_at = time.monotonic()
        for message in rereading.between(self._client, begin, ends):
            headers = headers_of(message)
            try:
                record = self._codec.decode(_TOPIC, message.key(), message.value(), dict(headers), lay_at)
            except Poison:
                continue  # the group that consumes the topic parks it
            if record.key <= farthest and isinstance(record, OrderCreated | OrderCancelRequested):
                yield record, to_store(trace_of(headers))

    def _restore(self, orders: Sequence[OrderCreated], traces: Mapping[int, str | None]) -> None:
        """Store those of ``orders`` that the database does not have.

        The numbering is moved behind them first: if this fails halfway, no id is given out a second time.
        """
        last = max(order.order_id for order in orders)
        if last > self._database.transact(store.last_number):
            self._database.transact(lambda tx: store.number_on(tx, behind=last, gap=_GAP))
        restored = self._database.transact(lambda tx: store.restore(tx, orders, traces, self._announce_after))
        if restored:
            _RESTORED.inc(len(restored))
            log.error("orders restored that the database had forgotten", orders=len(restored), first=min(restored))

    def _restore_cancels(self, requests: Sequence[OrderCancelRequested]) -> None:
        self._database.transact(lambda tx: store.restore_cancels(tx, requests))


def _parts(items: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(items, _BATCH)):
        yield part
