"""Which installation this database belongs to, so that its consumer group can be told from another's on one Kafka."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table ``installation`` with its one row, which goes along with every dump and restore."""
    op.execute("""
        CREATE TABLE installation (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            installation_id uuid NOT NULL DEFAULT gen_random_uuid()
        )
    """)
    op.execute("INSERT INTO installation DEFAULT VALUES")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE installation")
