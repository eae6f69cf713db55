"""The transactional outbox: what an origin write has to say, committed with it, published after it.

The writer publishes right after its commit and removes the rows once Kafka has them (the fast path); the relay
publishes what a crash left behind. Rows are claimed by lock, never by a high-water mark, because ids commit out of
order. There is no promise of order.

Pattern: https://microservices.io/patterns/data/transactional-outbox.html
"""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from chassis import metrics
from chassis.logs import logger
from chassis.messages import Encoded
from chassis.periodic import Periodic
from chassis.producer import Producer

log = logger("outbox")

_BATCH = 1000
_PATIENCE_SECONDS = 30.0
"""The rows stay locked meanwhile: longer than the producer tries, and shorter than a transaction may be idle."""
_ADD = text("""
    INSERT INTO outbox (topic, key, value, headers)
    SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:keys AS bytea[]), CAST(:values AS bytea[]),
                         CAST(:headers AS text[]))
    RETURNING outbox_id
""")
_COUNT = text("SELECT count(*) FROM (SELECT FROM outbox LIMIT :most) AS rows")
_REMOVE = text("DELETE FROM outbox WHERE outbox_id = ANY(CAST(:ids AS bigint[]))")
# What the relay has in hand it removes itself: nobody waits for it, as it may wait for Kafka.
_REMOVE_UNCLAIMED = text("""
    DELETE FROM outbox WHERE outbox_id IN (
        SELECT outbox_id FROM outbox WHERE outbox_id = ANY(CAST(:ids AS bigint[])) FOR UPDATE SKIP LOCKED)
""")
_CLAIM = text("""
    SELECT outbox_id, topic, key, value, headers FROM outbox
    WHERE create_time < now() - make_interval(secs => :age)
    ORDER BY outbox_id LIMIT :limit FOR UPDATE SKIP LOCKED
""")


def add(transaction: Connection, messages: Sequence[Encoded]) -> list[int]:
    """Store ``messages`` in the outbox, in the transaction of the write that they tell of; return the rows' ids."""
    result = transaction.execute(
        _ADD,
        {
            "topics": [message.topic for message in messages],
            "keys": [message.key for message in messages],
            "values": [message.value for message in messages],
            "headers": [json.dumps([(n, (v or b"").decode()) for n, v in m.headers]) for m in messages],
        },
    )
    return list(result.scalars())


def remove(transaction: Connection, ids: Sequence[int]) -> int:
    """Remove those of the rows ``ids``, which Kafka has acknowledged, that no relay has in hand; return how many."""
    return transaction.execute(_REMOVE_UNCLAIMED, {"ids": list(ids)}).rowcount


def count(transaction: Connection, most: int) -> int:
    """Count the rows, up to ``most``."""
    return int(transaction.execute(_COUNT, {"most": most}).scalar_one())


class Relay(Periodic):
    """Publishes what the fast path left in the outbox, from a thread of its own. Any number of replicas may run one."""

    def __init__(self, engine: Engine, producer: Producer, *, age_seconds: float, interval_seconds: float) -> None:
        """Look every ``interval_seconds`` for rows older than ``age_seconds``; `start` begins."""
        super().__init__("relay", lambda: self.relay_once() == _BATCH, interval_seconds=interval_seconds)
        self._engine, self._producer, self._age = engine, producer, age_seconds

    def relay_once(self) -> int:
        """Publish and remove up to 1,000 rows; return how many.

        Raises:
            Unavailable: Kafka did not take them; they stay.
            sqlalchemy.exc.OperationalError: the database is away; they stay.
        """
        with self._engine.begin() as transaction:
            rows = _claim(transaction, self._age)
            if rows:
                self._producer.deliver([message for _, message in rows], _PATIENCE_SECONDS)
                transaction.execute(_REMOVE, {"ids": [row_id for row_id, _ in rows]})
                metrics.OUTBOX_RELAYED.inc(len(rows))
                log.info("outbox relayed", messages=len(rows))
        return len(rows)


def _claim(transaction: Connection, age: float) -> list[tuple[int, Encoded]]:
    rows = transaction.execute(_CLAIM, {"age": age, "limit": _BATCH})
    return [
        (
            row.outbox_id,
            Encoded(row.topic, row.key, row.value, tuple((n, v.encode()) for n, v in json.loads(row.headers))),
        )
        for row in rows
    ]
