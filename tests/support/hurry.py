"""The orchestrator in a hurry: with time-outs short enough for a test to wait for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from devstack.stack import Stack

SCALE = 0.01
"""The first attempt waits 0.6 s, all five together about 15 s, and a stuck saga is asked every 6 s."""


@contextmanager
def hurried(stack: Stack, scale: float = SCALE) -> Iterator[None]:
    """Run the orchestrator with its times multiplied by ``scale``; afterwards as it was."""
    orchestrator = stack.service("orchestrator_svc")
    orchestrator.stop()
    orchestrator.start(extra_env={"SAGA_TIME_SCALE": str(scale), "TIMER_INTERVAL_SECONDS": "0.2"})
    try:
        yield
    finally:
        orchestrator.stop()
        orchestrator.start()
