"""The relay of the transactional outbox: messages are committed with the write that they belong to, published after.

The outbox writer publishes right after its commit, and removes the rows once Kafka has them (the fast path). The relay
publishes what a crash left behind. It claims rows by lock, never by a high-water mark, because a later id may be
committed first. Messages may be published in any order.

Pattern: https://microservices.io/patterns/data/transactional-outbox.html
"""

import json

from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Row, Transaction
from sagakit.postgres.sql import array
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger
from sagakit.runtime.periodic import Periodic
from sagakit.runtime.set_aside import Claim, SetAside
from sagakit.trace_context import if_recorded, trace_of

log = logger("outbox")

_BATCH = 1000
_DELIVERY_SECONDS = 30.0
"""How long Kafka may take: longer than the producer tries, and shorter than a transaction with its locks may last."""
_CLAIM = """
    SELECT outbox_id, topic, key, value, headers FROM outbox
    WHERE create_time < now() - make_interval(secs => %(age)s) AND outbox_id <> ALL(%(set_aside)s::bigint[])
    ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_REMOVE = "DELETE FROM outbox WHERE outbox_id = ANY(%(ids)s::bigint[])"


class Relay(Periodic):
    """Publishes what the fast path left in the outbox, from a thread of its own. Any number of replicas may run one."""

    def __init__(self, database: Database, producer: Producer, *, age_seconds: float, interval_seconds: float) -> None:
        """Look every ``interval_seconds`` for rows older than ``age_seconds``; `start` begins."""
        super().__init__("relay", lambda: self.relay_once() > 0, interval_seconds=interval_seconds)
        self._database, self._producer, self._age = database, producer, age_seconds
        self._set_aside = SetAside("message", _BATCH)

    def relay_once(self) -> int:
        """Publish and remove up to 1,000 rows; return how many.

        Raises:
            Unavailable: Kafka did not take them; they stay.
            psycopg.OperationalError: the database is away; they stay.
        """
        relayed = self._set_aside.work(lambda claim: self._database.transact(lambda tx: self._relay(tx, claim)))
        if relayed:
            metrics.OUTBOX_RELAYED.inc(relayed)
            log.info("outbox relayed", messages=relayed)
        return relayed

    def _relay(self, transaction: Transaction, claim: Claim) -> int:
        parameters = {"age": self._age, "limit": claim.limit, "set_aside": array(claim.set_aside)}
        rows = transaction.execute(_CLAIM, parameters).fetchall()
        claim.ids = [row.outbox_id for row in rows]
        if rows:
            self._producer.deliver([_message(row) for row in rows], _DELIVERY_SECONDS)
            transaction.execute(_REMOVE, {"ids": array(claim.ids)})
        return len(rows)


def _message(row: Row) -> Encoded:
    headers = tuple((name, value.encode()) for name, value in json.loads(row.headers))
    return Encoded(row.topic, row.key, row.value, headers, if_recorded(trace_of(headers)))
