"""Schedules deliveries and cancels them."""
