"""The limits of what is stored: the second wall behind those of the API and of the messages."""

from alembic import op

from sagakit.postgres.online_changes import limit

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Hold what is written from now on to them; what an absent value says is not known, and passes."""
    limit(
        "products",
        """
            char_length(name) BETWEEN 1 AND 200 AND price <= 1000000000000
        """,
    )
    limit(
        "stock_movements",
        """
            order_id > 0 AND product_id > 0 AND quantity BETWEEN 1 AND 1000000
            AND price BETWEEN 0 AND 1000000000000 AND char_length(refusal) <= 100
        """,
    )
    limit(
        "restocks",
        """
            quantity <= 1000000000
        """,
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE products DROP CONSTRAINT products_limits")
    op.execute("ALTER TABLE stock_movements DROP CONSTRAINT stock_movements_limits")
    op.execute("ALTER TABLE restocks DROP CONSTRAINT restocks_limits")
