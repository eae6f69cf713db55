"""A saga, as it is declared, and what becomes of it: pure functions of what is stored.

It imports nothing but records and errors: no server, no clock, no database. Begin with `sagakit.saga.declaration`, then
`sagakit.saga.advance` (a message), `sagakit.saga.overdue` (a deadline) and `sagakit.saga.interventions` (an operator).
"""

from sagakit.saga.declaration import Backoff, Cancel, Saga, Step, minutes, seconds

__all__ = ["Backoff", "Cancel", "Saga", "Step", "minutes", "seconds"]
