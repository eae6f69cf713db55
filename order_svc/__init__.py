"""Takes orders and tells what became of them."""
