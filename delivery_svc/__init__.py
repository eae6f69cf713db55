"""Schedules deliveries."""
