"""Runs each order's saga."""
