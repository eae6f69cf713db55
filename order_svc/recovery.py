"""Orders that the database has forgotten: they are found again in ``order-created``, which tells of each.

Nothing brings an order as a message brings what other services do, so this service reads what it has said itself: where
its database may have gone back, from where that says that it is whole. Ids that were given out are not given again.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
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
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record
from sagakit.runtime.logs import logger
from sagakit.runtime.periodic import Periodic

log = logger("recovery")

_TOPIC = OrderCreated.TOPIC
_INTERVAL_SECONDS = 1.0
_BATCH = 1000
_GAP = 10_000
"""Ids that are left out where the database went back: some may have been given out, and Kafka not been told of them."""
_LATE_SECONDS = 30.0
"""How long orders may still come into Kafka that the database has forgotten: twice what a producer tries for."""
_FARTHEST = 10**9
"""Whoever tells of an id so far ahead has made it up."""
_RESTORED = Counter("ordersaga_orders_restored_total", "Orders that the database had forgotten, found again in Kafka.")

T = TypeVar("T")
_Said: TypeAlias = OrderCreated | OrderCancelRequested


class Recovery(Periodic):
    """Keeps account of how much of ``order-created`` the database has for sure, and restores what it has forgotten.

    What is published was committed before. So where the topic ended a moment ago, everything before that is in the
    database, and in each later state of it. Only what was committed to a state that is forgotten may be published
    later, by whoever stored it: so for a while each new message is looked at.
    """

    def __init__(
        self,
        database: Database,
        codec: Codec,
        client: rereading.Client,
        *,
        announce_after_seconds: float,
    ) -> None:
        """Restore into ``database``, by the Kafka properties ``client``.

        ``announce_after_seconds`` is when restored orders are due to be announced again.
        """
        super().__init__("recovery", self._pass, interval_seconds=_INTERVAL_SECONDS)
        self._database, self._codec, self._announce_after = database, codec, announce_after_seconds
        self._client = client
        self._asker = rereading.reader(client)
        self._whole = -1
        """The number of the database's history that is known to be whole."""
        self._late_until = 0.0
        """Until when orders of the history before may still come, by the monotonic clock."""
        self._reached: Mapping[Partition, int] = {}
        """Where the topic ended at the last look."""

    def must_be_whole(self) -> None:
        """See that the database has what was acknowledged before; to be called in a transaction of it.

        Raises:
            Unavailable: it may have gone back, and it is being looked what is missing.
        """
        if self._whole != self._database.timelines.number:
            raise Unavailable("the database may have gone back, and orders are looked for in Kafka")

    def guarding(self, handle: Handle) -> Handle:
        """Return ``handle``, made to wait until the database is whole: it may be told of orders yet to be restored."""

        def guarded(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
            self.must_be_whole()
            try:
                return handle(messages, tx)
            except NotHeardOf as error:
                if self._may_be_late:
                    raise Unavailable(f"it may yet be found in Kafka: {error}") from error
                raise

        return guarded

    @property
    def _may_be_late(self) -> bool:
        """Whether an order may yet come into Kafka that the database has forgotten."""
        return time.monotonic() < self._late_until

    def recover(self) -> None:
        """Look what is missing, restore it, and note how far the database is.

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
        if number != self._whole:
            self._make_whole(number, known, ends)
        elif self._may_be_late:
            self._restore_between(self._reached, ends)
        self._reached = ends
        if ends != known:
            self._database.transact(lambda tx: self._note(tx, ends, number))

    def _make_whole(self, number: int, known: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        self._restore_between(known or ends, ends)  # one without any note is new, and lacks nothing
        if self._database.transact(self._number_on):
            self._late_until = time.monotonic() + _LATE_SECONDS
        self._whole = number

    def _number_on(self, tx: Transaction) -> bool:
        """Leave out ids where another history began, while this process ran or before; say whether one did."""
        line, noted = self._database.timelines.line, store.history(tx)
        another = self._whole >= 0 or (noted is not None and bool(line) and noted != line)
        if another:
            store.number_on(tx, behind=0, gap=_GAP)
        if line and noted != line:
            store.note_history(tx, line)
        return another

    def _restore_between(self, begin: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        """Restore what is missing of what was said there, orders and requests to cancel them, part by part."""
        for records in _parts(self._read(begin, ends)):
            orders: dict[int, OrderCreated] = {}
            cancels: dict[int, OrderCancelRequested] = {}
            for record in records:
                if isinstance(record, OrderCancelRequested):
                    cancels.setdefault(record.key, record)
                orders.setdefault(record.key, order_in(record) if isinstance(record, OrderCancelRequested) else record)
            self._restore(list(orders.values()))
            if cancels:
                self._database.transact(partial(store.restore_cancels, told=list(cancels.values())))

    def _known(self, tx: Transaction) -> dict[Partition, int]:
        self._database.timelines.look(tx)
        return {partition: at for partition, at in stored_offsets.read(tx).items() if partition[0] == _TOPIC}

    def _note(self, tx: Transaction, ends: Mapping[Partition, int], number: int) -> None:
        self._database.timelines.look(tx)
        if number == self._database.timelines.number:  # else these ends were not asked for after what it has
            stored_offsets.write(tx, ends)

    def _read(self, begin: Mapping[Partition, int], ends: Mapping[Partition, int]) -> Iterator[_Said]:
        """Read what was said from ``begin`` to ``ends``: orders, and requests to cancel them."""
        farthest = self._database.transact(store.last_number) + _FARTHEST
        # A partition that has been added since is read from its beginning.
        begin = {partition: begin.get(partition, OFFSET_BEGINNING) for partition in ends}
        for message in rereading.between(self._client, begin, ends):
            try:
                record = self._codec.decode(_TOPIC, message.key(), message.value(), dict(headers_of(message)))
            except Poison:
                continue  # it is parked by whoever consumes it
            if record.key <= farthest and isinstance(record, OrderCreated | OrderCancelRequested):
                yield record

    def _restore(self, orders: Sequence[OrderCreated]) -> None:
        """Store what the database does not have of ``orders``.

        The numbering goes on behind them first: where this ends halfway, no id is given a second time.
        """
        last = max(order.order_id for order in orders)
        if last > self._database.transact(store.last_number):
            self._database.transact(lambda tx: store.number_on(tx, behind=last, gap=_GAP))
        restored = self._database.transact(partial(store.restore, told=orders, announce_after=self._announce_after))
        if restored:
            _RESTORED.inc(len(restored))
            log.error("orders restored that the database had forgotten", orders=len(restored), first=min(restored))


def _parts(items: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(items, _BATCH)):
        yield part
