"""The table ``installation``: its one row says which installation a database belongs to, and goes along with a dump."""

from sqlalchemy import UUID, Boolean, CheckConstraint, Column, MetaData, Table, func, true

installation = Table(
    "installation",
    MetaData(),
    Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True, server_default=true()),
    Column("installation_id", UUID, nullable=False, server_default=func.gen_random_uuid()),
)
