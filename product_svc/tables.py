"""What the product service's database holds. A test compares it with what the migrations make."""

from sqlalchemy import (
    UUID,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Table,
    Text,
    func,
)

from sagakit.offsets.tables import consumed_offsets
from sagakit.service.tables import installation

TABLES = MetaData()
_TIME = DateTime(timezone=True)

products = Table(
    "products",
    TABLES,
    Column("product_id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("price", BigInteger, CheckConstraint("price >= 0"), nullable=False),
    Column("stock", BigInteger, CheckConstraint("stock >= 0"), nullable=False),
    Column("create_time", _TIME, nullable=False, server_default=func.now()),
    Column("update_time", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200 AND price <= 1000000000000", name="products_limits"),
)

stock_movements = Table(
    "stock_movements",
    TABLES,
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("product_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("price", BigInteger),
    Column("refusal", Text),
    Column("undone", Boolean, nullable=False),
    Column("create_time", _TIME, nullable=False, server_default=func.now()),
    Column("update_time", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint(
        "order_id > 0 AND product_id > 0 AND quantity BETWEEN 1 AND 1000000 AND price BETWEEN 0 AND 1000000000000"
        " AND char_length(refusal) <= 100",
        name="stock_movements_limits",
    ),
)
"""A row for each order ever heard of: it makes taking stock, and giving it back, harmless to repeat."""

# For the list of what has moved a product's stock. Nothing in it changes, so an undo changes no index.
Index(
    "stock_movements_by_product",
    stock_movements.c.product_id,
    stock_movements.c.create_time,
    stock_movements.c.order_id,
)

restocks = Table(
    "restocks",
    TABLES,
    Column("restock_id", BigInteger, Identity(always=True), primary_key=True),
    Column("product_id", BigInteger, ForeignKey(products.c.product_id), nullable=False),
    Column("quantity", BigInteger, CheckConstraint("quantity > 0"), nullable=False),
    Column("request_id", UUID, unique=True),
    Column("create_time", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint("quantity <= 1000000000", name="restocks_limits"),
)

Index("restocks_by_product", restocks.c.product_id, restocks.c.create_time, restocks.c.restock_id)

for table in (consumed_offsets, installation):
    table.to_metadata(TABLES)
