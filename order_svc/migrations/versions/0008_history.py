"""Which history the database told when ids were last known to be whole, so that a service that starts can compare."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty: the first service that starts notes what the database tells then."""
    op.execute("""
        CREATE TABLE history (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            line text NOT NULL
        )
    """)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE history")
