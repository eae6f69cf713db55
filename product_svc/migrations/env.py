"""Alembic's entry point; the kit holds the connection."""

from sagakit.postgres.migrations import run

run()
