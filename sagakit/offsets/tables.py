"""The table ``consumed_offsets``: how far a service's database knows the topics that the service consumes."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

consumed_offsets = Table(
    "consumed_offsets",
    MetaData(),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)
"""A row for each partition, updated ten times a second and more."""

CREATE_CONSUMED_OFFSETS = """
    CREATE TABLE consumed_offsets (
        topic text NOT NULL,
        partition integer NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITH (fillfactor = 50)
"""
"""What migrations run, and so frozen. With half of each page free, PostgreSQL updates a row on its page."""
