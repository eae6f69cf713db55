"""Measurements: how fast, at which cost, and how both change. ``make bench`` runs them."""
