"""The limits hold for what was stored before them, too."""

from sagakit.postgres.online_changes import validate

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Read the tables, beside everybody. Where rows break the limits, that is logged, and the rows stay."""
    validate("products", "products_limits")
    validate("stock_movements", "stock_movements_limits")
    validate("restocks", "restocks_limits")


def downgrade() -> None:
    """Leave it: what is known of the rows stays true."""
