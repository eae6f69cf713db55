"""Products, what moves their stock, and the first catalogue."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables ``products``, ``stock_movements`` and ``restocks``, with three products to begin with."""
    op.execute("""
        CREATE TABLE products (
            product_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            price bigint NOT NULL CHECK (price >= 0),
            stock bigint NOT NULL CHECK (stock >= 0),
            create_time timestamptz NOT NULL DEFAULT now(),
            update_time timestamptz NOT NULL DEFAULT now()
        )
    """)
    # One row for each order ever heard of: the idempotency of taking stock and of giving it back.
    op.execute("""
        CREATE TABLE stock_movements (
            order_id bigint PRIMARY KEY,
            product_id bigint NOT NULL,
            quantity bigint NOT NULL,
            price bigint,
            refusal text,
            undone boolean NOT NULL,
            create_time timestamptz NOT NULL DEFAULT now(),
            update_time timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE restocks (
            restock_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            product_id bigint NOT NULL REFERENCES products,
            quantity bigint NOT NULL CHECK (quantity > 0),
            request_id uuid UNIQUE,
            create_time timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        INSERT INTO products (name, price, stock) VALUES
            ('Notebook', 10000, 1000000),
            ('Fountain pen', 2500, 10),
            ('Ink bottle, sold out', 1200, 0)
    """)
    op.execute("INSERT INTO restocks (product_id, quantity) SELECT product_id, stock FROM products WHERE stock > 0")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE restocks")
    op.execute("DROP TABLE stock_movements")
    op.execute("DROP TABLE products")
