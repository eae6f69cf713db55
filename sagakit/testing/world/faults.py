"""Faults that a test lays on a process, and the process as its surroundings see it."""

import math
from enum import StrEnum
from typing import Any, NoReturn

from sagakit.testing.world.green import Died, Green, wait


class Fault(StrEnum):
    """A fault happens once, at the next place where it can. A process that dies is started again at once."""

    NONE = "none"
    BEFORE_COMMIT = "dies before its commit"
    COMMIT_LOST = "the connection is lost before the commit"
    COMMIT_UNHEARD = "the connection is lost after the commit, which is not heard of"
    BEFORE_PUBLISH = "dies after its commit, before it publishes"
    IN_PUBLISH = "dies after part of the publish"
    PUBLISH_REFUSED = "what it publishes is given up before Kafka has it"
    PUBLISH_UNHEARD = "what it publishes reaches Kafka, and is reported as failed"
    BEFORE_OFFSETS = "dies after the batch, before its offsets are stored"
    OFFSETS_REFUSED = "its offsets are not committed to the broker"
    STOPPED = "stands still before it publishes, and is woken when others have gone on"
    """Longer than the group's session, as by a SIGSTOP: what it was about to publish comes late."""

    def __repr__(self) -> str:
        """Return what a failing run can be repeated with."""
        return f"Fault.{self.name}"


class Machine:
    """A process as its surroundings see it: how much it may consume, and which fault it meets."""

    def __init__(self) -> None:
        """Begin without a fault, and without an allowance to consume."""
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
        """Meet the faults that happen before a publish."""
        if self.meets(Fault.BEFORE_PUBLISH):
            self.die()
        if self.meets(Fault.STOPPED):
            self.stopped = True
            wait(math.inf, lambda: not self.stopped)

    def at_rest(self) -> None:
        """Meet the faults that happen when a batch is done and its offsets are not stored yet."""
        if self.meets(Fault.BEFORE_OFFSETS):
            self.die()
