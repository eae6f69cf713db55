"""What the order service's database holds. A test compares it with what the migrations make."""

from sqlalchemy import (
    UUID,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
    true,
)

from sagakit.offsets.tables import consumed_offsets
from sagakit.outbox.table import outbox
from sagakit.service.tables import installation

TABLES = MetaData()
_TIME = DateTime(timezone=True)

order_ids = Sequence("orders_order_id_seq", metadata=TABLES)

orders = Table(
    "orders",
    TABLES,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, nullable=False),
    Column("product_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, CheckConstraint("quantity > 0"), nullable=False),
    Column("price", BigInteger, CheckConstraint("price >= 0"), nullable=False),
    Column("address", Text, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('PENDING', 'COMPLETED', 'CANCELLED')"),
        nullable=False,
        server_default="PENDING",
    ),
    Column("cancel_reason", Text, CheckConstraint("(cancel_reason IS NOT NULL) = (status = 'CANCELLED')")),
    Column("request_id", UUID),
    Column("create_time", _TIME, nullable=False, server_default=func.now()),
    Column("update_time", _TIME, nullable=False, server_default=func.now()),
    Column("cancel_actor", Text),
    Column("cancel_note", Text),
    Column("cancel_request_time", _TIME),
    Column("announcements", Integer, nullable=False, server_default=text("0")),
    Column("announce_time", _TIME, nullable=False, server_default=text("now() + interval '2 minutes'")),
    Column("traceparent", Text),
    UniqueConstraint("user_id", "request_id"),
    CheckConstraint(
        "num_nulls(cancel_actor, cancel_note, cancel_request_time) IN (0, 3)", name="orders_cancel_request_whole"
    ),
    CheckConstraint(
        "order_id > 0 AND user_id > 0 AND product_id > 0 AND quantity <= 1000000 AND price <= 1000000000000"
        " AND char_length(address) <= 500 AND char_length(cancel_reason) <= 100"
        " AND char_length(cancel_actor) <= 100 AND char_length(cancel_note) <= 500",
        name="orders_limits",
    ),
)
Index("orders_by_user", orders.c.user_id, orders.c.order_id)
# It holds the PENDING orders alone, and new ones come to its right end.
Index("orders_to_announce", orders.c.announce_time, postgresql_where=text("status = 'PENDING'"))
# For the list of those that were cancelled: a few among millions.
Index("orders_cancelled", orders.c.order_id, postgresql_where=text("status = 'CANCELLED'"))

history = Table(
    "history",
    TABLES,
    Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True, server_default=true()),
    Column("line", Text, nullable=False),
)
"""Which history the database told when ids were last known to be whole."""

for table in (outbox, consumed_offsets, installation):
    table.to_metadata(TABLES)
