"""Sagas: how one is declared, and the pure functions that change its state.

It may import records and errors alone: no server, no clock, no database. Begin with `sagakit.saga.declaration`, then
`sagakit.saga.advance` (a message), `sagakit.saga.overdue` (a deadline) and `sagakit.saga.interventions` (an operator).
`sagakit.saga.mermaid` draws one.
"""

from sagakit.saga.declaration import Backoff, Cancel, Saga, Step, minutes, seconds

__all__ = ["Backoff", "Cancel", "Saga", "Step", "minutes", "seconds"]
