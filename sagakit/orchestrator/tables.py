"""The tables ``sagas`` and ``saga_events``, which a service that runs sagas has in its database.

What a saga or an event has is named in two places: here, and as the fields of `sagakit.saga.instance.Instance` and
`Event`, in the same order. Every statement is made from these tables.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

_TABLES = MetaData()
_TIME = DateTime(timezone=True)

sagas = Table(
    "sagas",
    _TABLES,
    Column("saga_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start", JSONB, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('RUNNING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED')"),
        nullable=False,
    ),
    Column("step", Text),
    Column("reason", Text),
    Column("attempt", Integer, nullable=False),
    Column("waiting_since", _TIME),
    Column("deadline", _TIME),
    Column("stuck", Boolean, nullable=False),
    Column("last_error", Text),
    Column("version", BigInteger, nullable=False),
    Column("create_time", _TIME, nullable=False),
    Column("update_time", _TIME, nullable=False),
    Column("traceparent", Text),
    CheckConstraint("(step IS NULL) = (status IN ('COMPLETED', 'COMPENSATED'))"),
    CheckConstraint(
        "saga_id > 0 AND attempt >= 0 AND version >= 0 AND char_length(reason) <= 100", name="sagas_limits"
    ),
)
# For the timers, and for whoever asks what is under way: it holds only sagas that have not ended.
Index("sagas_by_deadline", sagas.c.deadline, postgresql_where=text("deadline IS NOT NULL"))
# For the lists of those that failed, of those at which somebody has to look, and of those that are sent again: a few
# among millions.
Index("sagas_compensated", sagas.c.saga_id, postgresql_where=text("status = 'COMPENSATED'"))
Index("sagas_stuck", sagas.c.saga_id, postgresql_where=text("stuck"))
Index("sagas_by_reason", sagas.c.reason, sagas.c.saga_id, postgresql_where=text("reason IS NOT NULL"))
Index("sagas_retrying", sagas.c.saga_id, postgresql_where=text("attempt > 1 AND NOT stuck AND step IS NOT NULL"))
# For the lists of those that began long ago: the younger ones are passed over in the index.
Index("sagas_by_age", sagas.c.saga_id, sagas.c.create_time)

saga_events = Table(
    "saga_events",
    _TABLES,
    Column("saga_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("create_time", _TIME, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text),
    Column("reason", Text),
    Column("message_id", Text, nullable=False),
    CheckConstraint("saga_id > 0 AND version >= 0 AND char_length(message_id) <= 400", name="saga_events_limits"),
)
