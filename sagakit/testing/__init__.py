"""Tests of sagas, without a server: a saga as a conversation, a clock that stands still, and a world in memory.

Begin with `sagakit.testing.conversation`; `sagakit.testing.example` is a whole saga to try it on. These two, and the
clock and the records beside them, import `sagakit.saga` only. `sagakit.testing.world` runs the real consumers, outbox,
engine and timers on a Kafka and databases in memory, and needs the extras. Nothing but tests imports this room.
"""

from sagakit.testing.clock import Clock
from sagakit.testing.conversation import Conversation
from sagakit.testing.records import PlainRecord

__all__ = ["Clock", "Conversation", "PlainRecord"]
