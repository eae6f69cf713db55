"""The orders that were cancelled, for their list: a few among millions."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; it costs an order that completes nothing."""
    op.execute("CREATE INDEX orders_cancelled ON orders (order_id) WHERE status = 'CANCELLED'")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX orders_cancelled")
