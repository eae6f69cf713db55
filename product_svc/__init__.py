"""Keeps the catalogue of products and their stock."""
