"""Keeps the catalogue and its stock."""
