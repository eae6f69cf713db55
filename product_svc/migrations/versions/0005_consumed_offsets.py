"""How far the topics are handled that the service consumes."""

from alembic import op

from sagakit.offsets.tables import CREATE_CONSUMED_OFFSETS

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: until a partition is stored, the group's committed offset counts."""
    op.execute(CREATE_CONSUMED_OFFSETS)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE consumed_offsets")
