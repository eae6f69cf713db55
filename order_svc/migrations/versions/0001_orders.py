"""Orders and their outbox."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables ``orders`` and ``outbox``."""
    op.execute("CREATE SEQUENCE orders_order_id_seq")
    op.execute("""
        CREATE TABLE orders (
            order_id bigint PRIMARY KEY,
            user_id bigint NOT NULL,
            product_id bigint NOT NULL,
            quantity bigint NOT NULL CHECK (quantity > 0),
            price bigint NOT NULL CHECK (price >= 0),
            address text NOT NULL,
            status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'COMPLETED', 'CANCELLED')),
            cancel_reason text CHECK ((cancel_reason IS NOT NULL) = (status = 'CANCELLED')),
            request_id uuid,
            create_time timestamptz NOT NULL DEFAULT now(),
            update_time timestamptz NOT NULL DEFAULT now(),
            UNIQUE (user_id, request_id)
        )
    """)
    op.execute("CREATE INDEX orders_by_user ON orders (user_id, order_id)")
    op.execute("""
        CREATE TABLE outbox (
            outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            topic text NOT NULL,
            key bytea NOT NULL,
            value bytea NOT NULL,
            headers text NOT NULL,
            create_time timestamptz NOT NULL DEFAULT now()
        )
    """)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE outbox")
    op.execute("DROP TABLE orders")
    op.execute("DROP SEQUENCE orders_order_id_seq")
