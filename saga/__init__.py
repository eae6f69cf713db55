"""The saga engine: declared once, advanced by a pure function, stored with its history. It knows no orders."""

from saga.declaration import Backoff, Cancel, Saga, Step, minutes, seconds

__all__ = ["Backoff", "Cancel", "Saga", "Step", "minutes", "seconds"]
