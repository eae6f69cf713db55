"""The transactional outbox: what an origin write has to say, committed with it, published after it.

The writer publishes right after its commit and removes the rows once Kafka has them (the fast path); the relay
publishes what a crash left behind. Rows are claimed by lock, never by a high-water mark, because ids commit out of
order. There is no promise of order.

Pattern: https://microservices.io/patterns/data/transactional-outbox.html
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from chassis import metrics
from chassis.aside import Aside, Claim
from chassis.database import Database, array
from chassis.logs import logger
from chassis.messages import Encoded
from chassis.periodic import Periodic
from chassis.pipeline import Row, Transaction
from chassis.producer import Producer

log = logger("outbox")

_BATCH = 1000
_PATIENCE_SECONDS = 30.0
"""The rows stay locked meanwhile: longer than the producer tries, and shorter than a transaction may last."""
_ADD = """
    INSERT INTO outbox (topic, key, value, headers)
    SELECT * FROM unnest(%(topics)s::text[], %(keys)s::bytea[], %(values)s::bytea[],
                         %(headers)s::text[])
    RETURNING outbox_id
"""
_COUNT = "SELECT count(*) FROM (SELECT FROM outbox LIMIT %(most)s) AS rows"
_REMOVE = "DELETE FROM outbox WHERE outbox_id = ANY(%(ids)s::bigint[])"
# What the relay has in hand it removes itself: nobody waits for it, as it may wait for Kafka.
_REMOVE_UNCLAIMED = """
    DELETE FROM outbox WHERE outbox_id IN (
        SELECT outbox_id FROM outbox WHERE outbox_id = ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED)
"""
_CLAIM = """
    SELECT outbox_id, topic, key, value, headers FROM outbox
    WHERE create_time < now() - make_interval(secs => %(age)s) AND outbox_id <> ALL(%(aside)s::bigint[])
    ORDER BY outbox_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


def add(transaction: Transaction, messages: Sequence[Encoded]) -> Iterable[Any]:
    """Store ``messages`` in the outbox, in the transaction of the write that they tell of.

    Returns rows with each one's ``outbox_id``; best read after the commit, as before it that costs a round trip.
    """
    return transaction.execute(
        _ADD,
        {
            "topics": array([message.topic for message in messages]),
            "keys": array([message.key for message in messages]),
            "values": array([message.value for message in messages]),
            "headers": array([json.dumps([(n, (v or b"").decode()) for n, v in m.headers]) for m in messages]),
        },
    )


def remove(transaction: Transaction, ids: Sequence[int]) -> None:
    """Remove those of the rows ``ids``, which Kafka has acknowledged, that no relay has in hand."""
    transaction.execute(_REMOVE_UNCLAIMED, {"ids": array(ids)})


def count(transaction: Transaction, most: int) -> int:
    """Count the rows, up to ``most``."""
    return int(transaction.execute(_COUNT, {"most": most}).fetchall()[0].count)


class Relay(Periodic):
    """Publishes what the fast path left in the outbox, from a thread of its own. Any number of replicas may run one."""

    def __init__(self, database: Database, producer: Producer, *, age_seconds: float, interval_seconds: float) -> None:
        """Look every ``interval_seconds`` for rows older than ``age_seconds``; `start` begins."""
        super().__init__("relay", lambda: self.relay_once() > 0, interval_seconds=interval_seconds)
        self._database, self._producer, self._age = database, producer, age_seconds
        self._aside = Aside("message", _BATCH)

    def relay_once(self) -> int:
        """Publish and remove up to 1,000 rows; return how many.

        Raises:
            Unavailable: Kafka did not take them; they stay.
            psycopg.OperationalError: the database is away; they stay.
        """
        relayed = self._aside.work(lambda claim: self._database.transact(lambda tx: self._relay(tx, claim)))
        if relayed:
            metrics.OUTBOX_RELAYED.inc(relayed)
            log.info("outbox relayed", messages=relayed)
        return relayed

    def _relay(self, transaction: Transaction, claim: Claim) -> int:
        parameters = {"age": self._age, "limit": claim.limit, "aside": array(claim.aside)}
        rows = transaction.execute(_CLAIM, parameters).fetchall()
        claim.ids = [row.outbox_id for row in rows]
        if rows:
            self._producer.deliver([_message(row) for row in rows], _PATIENCE_SECONDS)
            transaction.execute(_REMOVE, {"ids": array(claim.ids)})
        return len(rows)


def _message(row: Row) -> Encoded:
    headers = tuple((name, value.encode()) for name, value in json.loads(row.headers))
    return Encoded(row.topic, row.key, row.value, headers)
