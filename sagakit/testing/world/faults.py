"""What can go wrong in the midst of what a process does, and the process to which it happens."""

import math
from enum import StrEnum
from typing import Any, NoReturn

from sagakit.testing.world.green import Died, Green, wait


class Fault(StrEnum):
    """What happens to a process, once, at the next place where it can. Who dies is started again at once."""

    NONE = "none"
    BEFORE_COMMIT = "dies before its commit"
    COMMIT_LOST = "the connection is lost before the commit"
    COMMIT_UNHEARD = "the connection is lost after the commit, which is not heard of"
    BEFORE_PUBLISH = "dies after its commit, before it publishes"
    IN_PUBLISH = "dies after part of the publish"
    PUBLISH_REFUSED = "what it publishes is given up before Kafka has it"
    PUBLISH_UNHEARD = "what it publishes reaches Kafka, and is told to have failed"
    BEFORE_OFFSETS = "dies after the batch, before its offsets are stored"
    OFFSETS_REFUSED = "its offsets are not committed to the broker"
    STOPPED = "stands still before it publishes, and is woken when others have gone on"
    """Longer than the group's session, as by a SIGSTOP: what it was about to publish comes late."""

    def __repr__(self) -> str:
        """Return what a failing run can be repeated with."""
        return f"Fault.{self.name}"


class Machine:
    """A process as its surroundings see it: what it is allowed, and what happens to it."""

    def __init__(self) -> None:
        """Begin without a fault, and with leave to consume nothing."""
        self.threads: list[Green] = []
        self.dead = self.stopped = False
        self.fault = Fault.NONE
        self.allowance = 0.0
        """How many messages it may consume."""
        self.first = 0
        """Which of its partitions it consumes from first."""
        self.members: list[tuple[str, Any]] = []
        """The consumers with which it has joined, each with its group."""

    def meets(self, fault: Fault) -> bool:
        """Say whether ``fault`` happens now."""
        if self.dead:
            raise Died
        if self.fault is not fault:
            return False
        self.fault = Fault.NONE
        return True

    def die(self) -> NoReturn:
        """End at once."""
        self.dead = True
        raise Died

    def before_publish(self) -> None:
        """Be where something is about to be published."""
        if self.meets(Fault.BEFORE_PUBLISH):
            self.die()
        if self.meets(Fault.STOPPED):
            self.stopped = True
            wait(math.inf, lambda: not self.stopped)

    def at_rest(self) -> None:
        """Be where everything is done that there was, but for the last offsets."""
        if self.meets(Fault.BEFORE_OFFSETS):
            self.die()
