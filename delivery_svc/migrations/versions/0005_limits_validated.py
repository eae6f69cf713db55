"""The limits hold for what was stored before them, too."""

from sagakit.postgres.online_changes import validate

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Read the tables, beside everybody. Where rows break the limits, that is logged, and the rows stay."""
    validate("deliveries", "deliveries_limits")


def downgrade() -> None:
    """Leave it: what is known of the rows stays true."""
