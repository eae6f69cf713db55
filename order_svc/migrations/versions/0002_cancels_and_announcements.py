"""Who asked for an order's cancel, and when an order that stays PENDING is announced again."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the index of what is due. The code before writes and reads the table as it did."""
    op.execute("""
        ALTER TABLE orders
            ADD COLUMN cancel_actor text,
            ADD COLUMN cancel_note text,
            ADD COLUMN cancel_request_time timestamptz,
            ADD COLUMN announcements integer NOT NULL DEFAULT 0,
            ADD COLUMN announce_time timestamptz NOT NULL DEFAULT now() + interval '2 minutes'
    """)
    # NOT VALID: it holds for whatever is written from now on, and need not read the table.
    op.execute("""
        ALTER TABLE orders ADD CONSTRAINT orders_cancel_request_whole
            CHECK (num_nulls(cancel_actor, cancel_note, cancel_request_time) IN (0, 3)) NOT VALID
    """)
    # It holds the PENDING orders alone, and new ones come to its right end.
    op.execute("CREATE INDEX orders_to_announce ON orders (announce_time) WHERE status = 'PENDING'")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX orders_to_announce")
    op.execute("""
        ALTER TABLE orders
            DROP COLUMN cancel_actor,
            DROP COLUMN cancel_note,
            DROP COLUMN cancel_request_time,
            DROP COLUMN announcements,
            DROP COLUMN announce_time
    """)
