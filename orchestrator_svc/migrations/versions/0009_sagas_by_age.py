"""The sagas that began long ago, for their lists."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    build_index("sagas_by_age", "sagas (saga_id, create_time)")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX sagas_by_age")
