"""The limits of what is stored: the second wall behind those of the API and of the messages."""

from alembic import op

from sagakit.postgres.online_changes import limit

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold what is written from now on to them; what an absent value says is not known, and passes."""
    limit(
        "orders",
        """
            order_id > 0 AND user_id > 0 AND product_id > 0 AND quantity <= 1000000 AND price <= 1000000000000
            AND char_length(address) <= 500 AND char_length(cancel_reason) <= 100
            AND char_length(cancel_actor) <= 100 AND char_length(cancel_note) <= 500
        """,
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE orders DROP CONSTRAINT orders_limits")
