"""How a saga is declared: its steps in their order, each with its command and the command that undoes it.

The terms are those of Garcia-Molina and Salem, "Sagas" (SIGMOD 1987), and of Richardson's *Microservices Patterns*: a
*compensation* undoes a step; after the *pivot* has succeeded the saga only goes forward.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, get_type_hints

from sagakit.records import Record

LONGEST_WAIT = timedelta(days=3650)
"""Of one attempt. It keeps every deadline within Python's and PostgreSQL's times, whatever the scale."""


class Reply(Record, Protocol):
    """A participant's answer to a step's command."""

    @property
    def success(self) -> bool:
        """Whether the step was done."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it was refused; None on success."""
        ...


def seconds(count: float) -> timedelta:
    """Return a duration of ``count`` seconds."""
    return timedelta(seconds=count)


def minutes(count: float) -> timedelta:
    """Return a duration of ``count`` minutes."""
    return timedelta(minutes=count)


@dataclass(frozen=True)
class Backoff:
    """How often a command is sent while no reply comes, and how long one attempt waits at most.

    Each attempt waits twice as long as the one before, up to ``cap``.
    """

    attempts: int
    """Counted with the first sending. After the last one the saga compensates; past the pivot, or while it
    compensates, it is stuck."""
    cap: timedelta


@dataclass(frozen=True)
class Step:
    """One participant's part: the command and its reply, and the same two for undoing it."""

    name: str
    do: Callable[[Any], Record]
    done: type[Reply]
    undo: Callable[[Any], Record]
    undone: type[Record]
    timeout: timedelta
    """How long the first attempt waits for its reply."""
    retry: Backoff
    pivot: bool = False


@dataclass(frozen=True)
class Cancel:
    """The message that asks for a saga's cancel. It carries the whole start, because it may arrive before that."""

    message: type[Record]
    start: Callable[[Any], Record]
    """The saga's start, as the cancel carries it."""
    note: Callable[[Any], str]
    """Who asked and why, for the history."""


@dataclass(frozen=True)
class Saga:
    """A saga's declaration. The functions of its steps take the start message and return a command.

    Raises:
        ValueError: there is no step, two have the same name, more than one is the pivot, one waits longer than
            `LONGEST_WAIT`, or two of the messages that it hears have the same type.
    """

    name: str
    start: type[Record]
    steps: tuple[Step, ...]
    on_completed: Callable[[Any], Record]
    on_compensated: Callable[[Any, str], Record]
    """Takes the start message and the reason."""
    cancel: Cancel

    def __post_init__(self) -> None:
        """Refuse a declaration that cannot work."""
        names = [step.name for step in self.steps]
        if not names or len(set(names)) < len(names) or sum(step.pivot for step in self.steps) > 1:
            msg = f"saga {self.name}: needs steps, each with a name of its own, and one pivot at most"
            raise ValueError(msg)
        if any(max(step.timeout, step.retry.cap) > LONGEST_WAIT for step in self.steps):
            msg = f"saga {self.name}: no step waits longer than {LONGEST_WAIT.days} days"
            raise ValueError(msg)
        if twice := [heard for heard, count in Counter(self.hears).items() if count > 1]:
            msg = (
                f"saga {self.name}: {twice[0].__name__} is declared twice; its start, its cancel, and each step's done "
                "and undone need a type of their own, because a message is told by its type"
            )
            raise ValueError(msg)

    def position(self, step: str) -> int:
        """Return the position of ``step`` in the order of steps, from 0.

        Raises:
            ValueError: no step has that name; the saga was declared differently when it was stored.
        """
        for position, candidate in enumerate(self.steps):
            if candidate.name == step:
                return position
        msg = f"saga {self.name} has no step {step!r}"
        raise ValueError(msg)

    def scaled(self, factor: float) -> "Saga":
        """Return the same saga with every time-out and cap multiplied by ``factor``, up to `LONGEST_WAIT`."""

        def times(wait: timedelta) -> timedelta:
            return timedelta(seconds=min(wait.total_seconds() * factor, LONGEST_WAIT.total_seconds()))

        steps = tuple(
            replace(step, timeout=times(step.timeout), retry=replace(step.retry, cap=times(step.retry.cap)))
            for step in self.steps
        )
        return replace(self, steps=steps)

    @property
    def hears(self) -> tuple[type[Record], ...]:
        """The record types that move it: its start, the request to cancel it, and every step's replies."""
        return self.start, self.cancel.message, *(reply for step in self.steps for reply in (step.done, step.undone))

    @property
    def commands(self) -> tuple[type[Record], ...]:
        """The record types that it sends, as the functions that make them are annotated.

        Raises:
            ValueError: a function does not say what it returns.
        """
        steps = (maker for step in self.steps for maker in (step.do, step.undo))
        makers: tuple[Callable[..., Record], ...] = (*steps, self.on_completed, self.on_compensated)
        return tuple(map(self._made_by, makers))

    def _made_by(self, maker: Callable[..., Record]) -> type[Record]:
        made: type[Record] | None = get_type_hints(maker).get("return")
        if made is None:
            msg = f"saga {self.name}: annotate what {maker.__qualname__} returns: the type of the command"
            raise ValueError(msg)
        return made

    @property
    def pivot(self) -> int:
        """The position of the pivot; without one, of the last step."""
        return next((at for at, step in enumerate(self.steps) if step.pivot), len(self.steps) - 1)
