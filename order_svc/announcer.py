"""Announcing again: the message that begins an order's saga is sent once more while the order stays PENDING.

The saga answers a repeat with its pending or final command. So this makes up for any lost message, on either side.
"""

from prometheus_client import Counter

from order_svc import store
from order_svc.orders import announcements
from sagakit.avro.codec import Codec
from sagakit.kafka.producer import Producer
from sagakit.messages import Outgoing
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger
from sagakit.runtime.periodic import Periodic
from sagakit.runtime.set_aside import Claim, SetAside
from sagakit.trace_context import stored
from sagakit.tracing.batches import Batch
from sagakit.tracing.messages import made

log = logger("announcer")

_LONGEST_SECONDS = 3600.0
"""Between two announcements of one order."""
_DELIVERY_SECONDS = 3.0
"""How long Kafka may take. The orders stay locked meanwhile, so it is less than other transactions wait for a lock."""
_LONGEST_BACKOFF_SECONDS = 60.0
_ANNOUNCED = Counter("ordersaga_orders_announced_total", "Orders announced again, because they stayed PENDING.")


class Announcer(Periodic):
    """Announces orders again, from a thread of its own. Any number of replicas may run one."""

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        database: Database,
        codec: Codec,
        producer: Producer,
        *,
        after_seconds: float,
        interval_seconds: float,
        limit: int,
    ) -> None:
        """Look every ``interval_seconds`` for up to ``limit`` orders that are due.

        An order is first due after ``after_seconds``, as its row says, then after twice as long each time.
        """
        super().__init__(
            "announcer",
            self._pass,
            interval_seconds=interval_seconds,
            longest_backoff_seconds=_LONGEST_BACKOFF_SECONDS,
        )
        self._database, self._codec, self._producer = database, codec, producer
        self._after, self._set_aside = after_seconds, SetAside("order", limit)

    def announce_once(self) -> int:
        """Announce the orders that are due; return how many.

        Their rows count the announcement once Kafka has all messages. A failure or a crash before that counts nothing.

        Raises:
            Unavailable: Kafka did not take it in time.
            psycopg.OperationalError: the database is away.
        """
        with Batch("announce orders") as spans:
            announced = self._set_aside.work(
                lambda claim: self._database.transact(lambda tx: self._announce(tx, claim, spans)), spans.failed
            )
        if announced:
            _ANNOUNCED.inc(len(announced))
            log.warning("orders announced again", orders=len(announced), first=min(announced))
        return len(announced)

    def _announce(self, tx: Transaction, claim: Claim, spans: Batch) -> list[int]:
        orders = store.claim_unannounced(tx, claim)
        if orders:
            places = {
                order.order_id: spans.add(order.order_id, "announce order", {}, stored(order.traceparent))
                for order in orders
            }
            messages = [
                self._codec.encode(Outgoing(record, trace=places[order.order_id]))
                for order in orders
                for record in announcements(order)
            ]
            spans.done(claim.ids)
            made(messages)
            self._producer.deliver(messages, _DELIVERY_SECONDS)
            store.announced(tx, claim.ids, after=self._after, longest=_LONGEST_SECONDS)
        return list(claim.ids)

    def _pass(self) -> bool:
        self.announce_once()
        return False  # orders above the limit wait for the next pass, so that Kafka is not flooded
