"""Deliveries."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table ``deliveries``: a row for each order ever heard of, a delivery_id where there is a delivery."""
    op.execute("CREATE SEQUENCE deliveries_delivery_id_seq")
    op.execute("""
        CREATE TABLE deliveries (
            order_id bigint PRIMARY KEY,
            delivery_id bigint UNIQUE,
            user_id bigint NOT NULL,
            address text NOT NULL,
            status text NOT NULL CHECK (status IN ('SCHEDULED', 'CANCELLED', 'REFUSED')),
            refusal text,
            create_time timestamptz NOT NULL DEFAULT now(),
            update_time timestamptz NOT NULL DEFAULT now(),
            CHECK ((status = 'REFUSED') = (delivery_id IS NULL)),
            CHECK ((status = 'REFUSED') = (refusal IS NOT NULL))
        )
    """)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE deliveries")
    op.execute("DROP SEQUENCE deliveries_delivery_id_seq")
