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
        "sagas",
        """
            saga_id > 0 AND attempt >= 0 AND version >= 0 AND char_length(reason) <= 100
        """,
    )
    limit(
        "saga_events",
        """
            saga_id > 0 AND version >= 0 AND char_length(message_id) <= 400
        """,
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE sagas DROP CONSTRAINT sagas_limits")
    op.execute("ALTER TABLE saga_events DROP CONSTRAINT saga_events_limits")
