"""The sagas at which somebody has to look, for their list: a few among millions."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; ended sagas can be among them, which the index by deadline does not have."""
    build_index("sagas_stuck", "sagas (saga_id) WHERE stuck")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX sagas_stuck")
