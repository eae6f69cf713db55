"""Takes orders, and shows their state to customers."""
