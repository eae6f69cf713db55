"""The runtime that every service shares. It knows no orders, products or deliveries."""
