"""*Stored offsets*: how far a service has handled its topics, kept in its own database.

A database can go back: a standby that lacks the last second takes over, or yesterday's dump is restored. The messages
whose effects it has lost are still in Kafka, but the group's committed offsets say that they were handled. So each
offset is stored in the database, with or after the effects of all messages before it. An earlier state of the database
then has the offset that fits it. Only stored offsets are committed to the broker, with a mark. So a marked committed
offset that the database does not have means one thing: the database went back.

A consumer that stores an offset also gives the one that it stored before. Where the database has less, the statement
fails: the tables were overwritten under an open connection. Where it has more, another member of the group has the
partition by now, and the higher offset stays.

The idea that a consumer keeps its offsets where it keeps its results is Kafka's own:
https://kafka.apache.org/documentation/#consumerconfigs and the notes on "Storing Offsets Outside Kafka" in the Java
consumer's documentation.
"""

from collections.abc import Mapping

import psycopg
from sqlalchemy import select

from sagakit.kafka.consumed import Partition
from sagakit.offsets.tables import consumed_offsets
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.sql import array, text_of

MARK = "stored"
"""The metadata of a committed offset that the database has. Kafka's own tools, and our versions that stored no offsets,
leave it empty: then the committed offset alone counts."""

# Where the database has less than is known, CASE gives NULL, which the table refuses. So the check is a part of the
# transaction that stores the offset, and needs no round trip of its own. The rows are locked before they are compared:
# otherwise the statement might wait for another member's commit, and then overwrite what that has stored.
_WRITE = """
    INSERT INTO consumed_offsets (topic, partition, next_offset)
    SELECT given.topic, given.partition,
           CASE WHEN known IS NULL OR has.next_offset = known THEN given.next_offset
                WHEN has.next_offset > known THEN greatest(given.next_offset, has.next_offset) END
    FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[], %(known)s::bigint[])
         WITH ORDINALITY AS given (topic, partition, next_offset, known, place)
         LEFT JOIN LATERAL (SELECT stored.next_offset FROM consumed_offsets AS stored
                            WHERE stored.topic = given.topic AND stored.partition = given.partition
                            FOR NO KEY UPDATE) AS has ON true
    ORDER BY place
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset
"""
_READ = text_of(select(consumed_offsets))


def write(tx: Transaction, offsets: Mapping[Partition, int], known: Mapping[Partition, int] | None = None) -> None:
    """Store ``offsets`` in ``tx``, whose commit must leave the effects of all messages before them in the database.

    The statement fails, with an error that `has_less` recognises, where the database has less than is ``known``.
    """
    if offsets:
        ordered = sorted(offsets)  # in key order, so that two writers do not deadlock
        given = {
            "topics": array([topic for topic, _ in ordered]),
            "partitions": array([number for _, number in ordered]),
            "offsets": array([offsets[partition] for partition in ordered]),
            "known": array([(known or {}).get(partition) for partition in ordered]),
        }
        tx.execute(_WRITE, given)


def has_less(error: BaseException) -> bool:
    """Say whether ``error`` means that the database had less than was known."""
    return isinstance(error, psycopg.errors.NotNullViolation) and error.diag.table_name == consumed_offsets.name


def read(tx: Transaction) -> dict[Partition, int]:
    """Return the stored offsets by partition."""
    return {(row.topic, row.partition): row.next_offset for row in tx.execute(_READ)}
