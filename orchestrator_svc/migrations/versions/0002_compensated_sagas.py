"""The sagas that were compensated, for their list: a few among millions."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; it costs a saga that completes nothing."""
    build_index("sagas_compensated", "sagas (saga_id) WHERE status = 'COMPENSATED'")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX sagas_compensated")
