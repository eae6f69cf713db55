"""Sagas and their history."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables ``sagas`` and ``saga_events``; ``saga_id`` is the order's id."""
    op.execute("""
        CREATE TABLE sagas (
            saga_id bigint PRIMARY KEY,
            start jsonb NOT NULL,
            status text NOT NULL CHECK (status IN ('RUNNING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED')),
            step text,
            reason text,
            attempt integer NOT NULL,
            waiting_since timestamptz,
            deadline timestamptz,
            stuck boolean NOT NULL,
            last_error text,
            version bigint NOT NULL,
            create_time timestamptz NOT NULL,
            update_time timestamptz NOT NULL,
            CHECK ((step IS NULL) = (status IN ('COMPLETED', 'COMPENSATED')))
        )
    """)
    # For the timers, and for whoever asks what is under way: it holds only sagas that have not ended.
    op.execute("CREATE INDEX sagas_by_deadline ON sagas (deadline) WHERE deadline IS NOT NULL")
    op.execute("""
        CREATE TABLE saga_events (
            saga_id bigint NOT NULL,
            version bigint NOT NULL,
            create_time timestamptz NOT NULL,
            type text NOT NULL,
            step text,
            reason text,
            message_id text NOT NULL,
            PRIMARY KEY (saga_id, version)
        )
    """)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE saga_events")
    op.execute("DROP TABLE sagas")
