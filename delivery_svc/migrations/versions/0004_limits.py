"""The limits of what is stored: the second wall behind those of the API and of the messages."""

from alembic import op

from sagakit.postgres.online_changes import limit

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold what is written from now on to them; what an absent value says is not known, and passes."""
    limit(
        "deliveries",
        """
            order_id > 0 AND delivery_id > 0 AND user_id > 0
            AND char_length(address) <= 500 AND char_length(refusal) <= 100
        """,
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE deliveries DROP CONSTRAINT deliveries_limits")
