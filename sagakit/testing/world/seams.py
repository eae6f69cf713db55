"""Where the real code meets its surroundings: Kafka's clients, the database's sessions, threads and time."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import NoReturn
from unittest.mock import patch

import confluent_kafka
import structlog

import sagakit.postgres.pipeline
from sagakit.testing.world.clients import MemoryConsumer, MemoryProducer
from sagakit.testing.world.database import MemorySession
from sagakit.testing.world.green import CLOCK, Threading

_INSTEAD: list[tuple[object, object]] = [
    (time, CLOCK),
    (threading, Threading),
    (confluent_kafka.Consumer, MemoryConsumer),
    (confluent_kafka.Producer, MemoryProducer),
    (sagakit.postgres.pipeline.Session, MemorySession),
]
"""What each module has, under whatever name, and what it gets instead."""


@contextmanager
def simulated(*packages: str) -> Iterator[None]:
    """Have the kit, and the code in ``packages``, run in a world in memory. What is imported later is not changed."""
    with quiet(*packages), ExitStack() as patches:
        for module in _modules(packages):
            for name, found in list(vars(module).items()):
                for real, ours in _INSTEAD:
                    if found is real:
                        patches.enter_context(patch.object(module, name, ours))
        yield


@contextmanager
def quiet(*packages: str) -> Iterator[None]:
    """Have the kit, and the code in ``packages``, log nothing."""
    with ExitStack() as patches:
        for module in _modules(packages):
            if "log" in vars(module):
                patches.enter_context(patch.object(module, "log", _QUIET))
        yield


def _modules(packages: tuple[str, ...]) -> list[ModuleType]:
    ours = {"sagakit", *packages}
    found = [(name, module) for name, module in sys.modules.items() if name.split(".")[0] in ours]
    return [module for name, module in found if not name.startswith("sagakit.testing")]


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


_QUIET = structlog.wrap_logger(
    None, processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
)
