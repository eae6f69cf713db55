"""Where each saga began in a trace, so that what is sent again later goes on in it."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the sagas that are there nobody knows."""
    op.execute("ALTER TABLE sagas ADD COLUMN IF NOT EXISTS traceparent text")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE sagas DROP COLUMN traceparent")
