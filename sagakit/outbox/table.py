"""The table ``outbox``: messages, stored in the transaction of the write that they belong to."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, Text, func

from sagakit.messages import Encoded
from sagakit.postgres.pipeline import Deferred, Transaction
from sagakit.postgres.sql import array, insert_rows, text_of

outbox = Table(
    "outbox",
    MetaData(),
    Column("outbox_id", BigInteger, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),  # names and values, in their order, as a list in JSON
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

_STORED = [outbox.c.topic, outbox.c.key, outbox.c.value, outbox.c.headers]
_ADD = text_of(insert_rows(outbox, _STORED).returning(outbox.c.outbox_id))
_COUNT = "SELECT count(*) FROM (SELECT FROM outbox LIMIT %(most)s) AS rows"
_OLDEST = "SELECT extract(epoch FROM now() - create_time) AS age FROM outbox ORDER BY outbox_id LIMIT 1"
# Rows that the relay has locked are skipped: the relay removes them itself, and may wait long for Kafka.
_REMOVE_UNCLAIMED = """
    DELETE FROM outbox WHERE outbox_id IN (
        SELECT outbox_id FROM outbox WHERE outbox_id = ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED)
"""


def add(transaction: Transaction, messages: Sequence[Encoded]) -> Iterable[Any]:
    """Store ``messages`` in the outbox, in the transaction of the write that they belong to.

    Returns rows with each one's ``outbox_id``; best read after the commit: before it that costs a round trip.
    """
    return transaction.execute(
        _ADD,
        {
            "topic": array([message.topic for message in messages]),
            "key": array([message.key for message in messages]),
            "value": array([message.value for message in messages]),
            "headers": array([json.dumps([(n, (v or b"").decode()) for n, v in m.headers]) for m in messages]),
        },
    )


def remove(transaction: Transaction, ids: Sequence[int]) -> None:
    """Remove those of the rows ``ids``, which Kafka has acknowledged, that no relay has locked."""
    transaction.execute(_REMOVE_UNCLAIMED, {"ids": array(ids)})


def oldest_seconds(transaction: Transaction) -> Deferred[float]:
    """Ask for the age of the oldest row in seconds, 0 where there is none. Ids are given away as rows are stored."""
    rows = transaction.execute(_OLDEST)
    return lambda: max((0.0, *(float(row.age) for row in rows)))


def count(transaction: Transaction, most: int) -> int:
    """Count the rows, up to ``most``."""
    return int(transaction.execute(_COUNT, {"most": most}).fetchall()[0].count)
