"""How far a service's database knows the topics that the service consumes: its *stored offsets*.

A database can go back: a standby that lacks the last second takes over, or a dump of yesterday is restored. What it
has forgotten lies in Kafka still, but the group's committed offsets say that it was handled. So the database itself
says how far it has got: an offset is stored with, or after, the effects of all that lies before it, and an earlier
state of the database has the offset that belongs to it. What the database has is then committed to the broker, marked
as such, and never more. A committed offset with the mark that the database does not have therefore means one thing: it
went back.

The idea that a consumer keeps its offsets where it keeps its results is Kafka's own:
https://kafka.apache.org/documentation/#consumerconfigs and the notes on "Storing Offsets Outside Kafka" in the Java
consumer's documentation.
"""

from collections.abc import Mapping

from sagakit.kafka.consumed import Partition
from sagakit.postgres.database import array
from sagakit.postgres.pipeline import Transaction

MARK = "stored"
"""The metadata of a committed offset that the database has. Kafka's own tools, and versions of this code that stored no
offsets, leave it empty: then the broker's word alone counts."""

TABLE = """
    CREATE TABLE consumed_offsets (
        topic text NOT NULL,
        partition integer NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITH (fillfactor = 50)
"""
"""A row for each partition, written ten times a second and more: where half of each page is free, that is done in
place."""
_WRITE = """
    INSERT INTO consumed_offsets (topic, partition, next_offset)
    SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::integer[], %(offsets)s::bigint[])
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset
"""
_READ = "SELECT topic, partition, next_offset FROM consumed_offsets"


def write(tx: Transaction, offsets: Mapping[Partition, int]) -> None:
    """Say that the effects of everything before ``offsets`` are in the database, once ``tx`` commits."""
    if offsets:
        ordered = sorted(offsets)  # in key order, so that two that write do not wait for each other
        given = {
            "topics": array([topic for topic, _ in ordered]),
            "partitions": array([number for _, number in ordered]),
            "offsets": array([offsets[partition] for partition in ordered]),
        }
        tx.execute(_WRITE, given)


def read(tx: Transaction) -> dict[Partition, int]:
    """Return how far the database is, by partition."""
    return {(row.topic, row.partition): row.next_offset for row in tx.execute(_READ)}
