"""Where each order was placed in a trace, so that an order that is announced again goes on in it."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the orders that are there nobody knows."""
    op.execute("ALTER TABLE orders ADD COLUMN IF NOT EXISTS traceparent text")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE orders DROP COLUMN traceparent")
