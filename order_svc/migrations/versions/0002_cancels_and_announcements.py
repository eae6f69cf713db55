"""Who asked for an order's cancel, and when an order that stays PENDING is announced again."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the index of what is due. The code before writes and reads the table as it did.

    Each statement may be repeated: an attempt that is killed while it builds the index leaves the rest behind.
    """
    op.execute("""
        ALTER TABLE orders
            ADD COLUMN IF NOT EXISTS cancel_actor text,
            ADD COLUMN IF NOT EXISTS cancel_note text,
            ADD COLUMN IF NOT EXISTS cancel_request_time timestamptz,
            ADD COLUMN IF NOT EXISTS announcements integer NOT NULL DEFAULT 0,
            ADD COLUMN IF NOT EXISTS announce_time timestamptz NOT NULL DEFAULT now() + interval '2 minutes'
    """)
    # NOT VALID: it holds for whatever is written from now on, and need not read the table.
    op.execute("""
        ALTER TABLE orders
            -- squawk-ignore ban-drop-constraint -- it is there where an attempt was killed, and made again at once
            DROP CONSTRAINT IF EXISTS orders_cancel_request_whole,
            ADD CONSTRAINT orders_cancel_request_whole
            CHECK (num_nulls(cancel_actor, cancel_note, cancel_request_time) IN (0, 3)) NOT VALID
    """)
    # It holds the PENDING orders alone, and new ones come to its right end.
    build_index("orders_to_announce", "orders (announce_time) WHERE status = 'PENDING'")


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
