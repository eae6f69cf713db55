"""What the delivery service's database holds. A test compares it with what the migrations make."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, MetaData, Sequence, Table, Text, func, text

from sagakit.offsets.tables import consumed_offsets
from sagakit.service.tables import installation

TABLES = MetaData()
_TIME = DateTime(timezone=True)

delivery_ids = Sequence("deliveries_delivery_id_seq", metadata=TABLES)

deliveries = Table(
    "deliveries",
    TABLES,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, unique=True),
    Column("user_id", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("status", Text, CheckConstraint("status IN ('SCHEDULED', 'CANCELLED', 'REFUSED')"), nullable=False),
    Column("refusal", Text),
    Column("create_time", _TIME, nullable=False, server_default=func.now()),
    Column("update_time", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint("(status = 'REFUSED') = (delivery_id IS NULL)"),
    CheckConstraint("(status = 'REFUSED') = (refusal IS NOT NULL)"),
    CheckConstraint(
        "order_id > 0 AND delivery_id > 0 AND user_id > 0 AND char_length(address) <= 500"
        " AND char_length(refusal) <= 100",
        name="deliveries_limits",
    ),
)
"""A row for each order ever heard of, with a ``delivery_id`` where there is a delivery."""
# For the list of those that were cancelled: a few among millions.
Index("deliveries_cancelled", deliveries.c.delivery_id, postgresql_where=text("status = 'CANCELLED'"))

for table in (consumed_offsets, installation):
    table.to_metadata(TABLES)
