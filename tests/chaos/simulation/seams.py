"""Where the system under test meets its surroundings: Kafka's clients, the database's sessions, threads and time."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import confluent_kafka

import sagakit.postgres.pipeline
from devstack.services import NAMES
from tests.chaos.simulation.clients import MemoryConsumer, MemoryProducer
from tests.chaos.simulation.database import MemorySession
from tests.chaos.simulation.green import CLOCK, Threading
from tests.chaos.simulation.stores import in_memory

_ROOMS = {"sagakit", *NAMES}
_INSTEAD: list[tuple[object, object]] = [
    (time, CLOCK),
    (threading, Threading),
    (confluent_kafka.Consumer, MemoryConsumer),
    (confluent_kafka.Producer, MemoryProducer),
    (sagakit.postgres.pipeline.Session, MemorySession),
]
"""What each module of the system under test has, under whatever name, and what it gets instead."""


@contextmanager
def simulated() -> Iterator[None]:
    """Have the real code run in the simulation's surroundings."""
    with in_memory(), ExitStack() as patches:
        for room in [module for name, module in sys.modules.items() if name.split(".")[0] in _ROOMS]:
            for name, found in list(vars(room).items()):
                for real, ours in _INSTEAD:
                    if found is real:
                        patches.enter_context(patch.object(room, name, ours))
        yield
