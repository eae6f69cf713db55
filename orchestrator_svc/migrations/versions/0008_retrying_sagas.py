"""The sagas whose commands are sent again, and those that failed for a given reason, for their lists."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes; a saga that goes through at once is in neither."""
    build_index("sagas_by_reason", "sagas (reason, saga_id) WHERE reason IS NOT NULL")
    build_index("sagas_retrying", "sagas (saga_id) WHERE attempt > 1 AND NOT stuck AND step IS NOT NULL")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX sagas_retrying")
    op.execute("DROP INDEX sagas_by_reason")
