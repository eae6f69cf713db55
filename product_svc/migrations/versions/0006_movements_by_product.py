"""The movements of a product's stock, for their list."""

from alembic import op

from sagakit.postgres.online_changes import build_index

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    build_index("stock_movements_by_product", "stock_movements (product_id, create_time, order_id)")
    build_index("restocks_by_product", "restocks (product_id, create_time, restock_id)")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX restocks_by_product")
    op.execute("DROP INDEX stock_movements_by_product")
