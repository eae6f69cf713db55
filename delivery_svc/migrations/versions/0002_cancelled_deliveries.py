"""The deliveries that were cancelled, for their list: a few among millions."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; it costs a delivery that stays scheduled nothing."""
    build_index("deliveries_cancelled", "deliveries (delivery_id) WHERE status = 'CANCELLED'")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX deliveries_cancelled")
