"""Starting again what a test has stopped or killed."""

from devstack.services import NAMES
from devstack.stack import Stack


def mend(stack: Stack) -> None:
    """Start every server and service that is down, and wait until all are ready."""
    for server in (stack.postgres, stack.kafka, stack.registry):
        if server.pid is None:
            server.start()
    for name in NAMES:
        if stack.service(name).pid is None:
            stack.service(name).start()
    for name in NAMES:
        stack.service(name).wait_ready()
