"""The transactional outbox: what an origin write has to say, committed with it, published after it.

The writer publishes right after its commit and removes the rows once Kafka has them (the fast path); the relay
publishes what a crash left behind. Rows are claimed by lock, never by a high-water mark, because ids commit out of
order. There is no promise of order.

Pattern: https://microservices.io/patterns/data/transactional-outbox.html
"""

import json
import threading
from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from chassis import metrics
from chassis.database import is_transient
from chassis.logs import logger
from chassis.messages import Encoded
from chassis.producer import Producer

log = logger("outbox")

_BATCH = 500
_ADD = text("""
    INSERT INTO outbox (topic, key, value, headers)
    SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:keys AS bytea[]), CAST(:values AS bytea[]),
                         CAST(:headers AS text[]))
    RETURNING outbox_id
""")
_REMOVE = text("DELETE FROM outbox WHERE outbox_id = ANY(CAST(:ids AS bigint[]))")
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


def remove(transaction: Connection, ids: Sequence[int]) -> None:
    """Remove the rows ``ids``, which Kafka has acknowledged."""
    transaction.execute(_REMOVE, {"ids": list(ids)})


class Relay:
    """Publishes what the fast path left in the outbox, from a thread of its own. Any number of replicas may run one."""

    def __init__(self, engine: Engine, producer: Producer, *, age_seconds: float, interval_seconds: float) -> None:
        """Look every ``interval_seconds`` for rows older than ``age_seconds``; `start` begins."""
        self._engine, self._producer = engine, producer
        self._age, self._interval = age_seconds, interval_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the pass in hand; returns when that is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                while self.relay_once() == _BATCH and not self._stopping.is_set():
                    pass
            except Exception as error:  # the rows stay; the next pass tries them again
                if is_transient(error):
                    log.warning("outbox not relayed", error=" ".join(str(error).split())[:300])
                else:
                    log.exception("outbox not relayed")

    def relay_once(self) -> int:
        """Publish and remove up to 500 rows; return how many.

        Raises:
            Unavailable: Kafka did not take them; they stay.
            sqlalchemy.exc.OperationalError: the database is away; they stay.
        """
        with self._engine.begin() as transaction:
            rows = _claim(transaction, self._age)
            if rows:
                self._producer.publish([message for _, message in rows]).result()
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
