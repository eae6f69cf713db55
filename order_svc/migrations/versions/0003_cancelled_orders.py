"""The orders that were cancelled, for their list: a few among millions."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; it costs an order that completes nothing."""
    build_index("orders_cancelled", "orders (order_id) WHERE status = 'CANCELLED'")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX orders_cancelled")
