"""Alembic's entry point; the chassis holds the connection."""

from chassis.migrations import run

run()
