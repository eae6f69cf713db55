"""Drives each order through its saga."""
