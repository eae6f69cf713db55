"""What was done to a run, as far as the checker has to know."""

from dataclasses import dataclass

from tests.chaos.evidence_rows import OrderRow


@dataclass(frozen=True)
class FaultWindow:
    """When a fault was at work, and how long what follows from it may show."""

    kind: str
    """Such as ``kill-order_svc``."""
    parts: frozenset[str]
    """The services and servers that it was laid on."""
    began: float
    ended: float
    """When it was healed."""
    settles: float = 25.0
    """For so many seconds after that the system may still be at work on the consequences."""

    def covers(self, time: float) -> bool:
        """Say whether what happened at ``time`` may follow from it."""
        return self.began <= time <= self.ended + self.settles


@dataclass(frozen=True)
class WentBack:
    """A service's database went back: at `time` it was again as it had been at `since`."""

    service: str
    since: float
    time: float


@dataclass(frozen=True)
class Remade:
    """A topic was deleted and made anew."""

    time: float
    topic: str


@dataclass(frozen=True)
class Restored:
    """order_svc's database went back to an older state: these rows were gone, and their ids were given again."""

    time: float
    orders: tuple[OrderRow, ...]


@dataclass(frozen=True)
class Overdue:
    """A saga whose deadline had passed, and that was not asked again, though nothing kept the timers from it."""

    order_id: int
    seconds: float
    """How long the deadline had passed."""
