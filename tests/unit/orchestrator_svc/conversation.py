"""A saga as a conversation: what it asks, what it is answered, and how it ends."""

from datetime import UTC, datetime, timedelta
from typing import Self

from sagakit.records import Record
from sagakit.saga import Saga
from sagakit.saga.advance import advance
from sagakit.saga.instance import Event, EventType, Instance, Status, pending_command
from sagakit.saga.interventions import cancel, retry
from sagakit.saga.overdue import overdue
from sagakit.saga.transition import Fit, Transition


class Conversation:
    """Plays every participant of one saga."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.instance: Instance | None = None
        self.history: list[Event] = []
        self.fits: list[Fit] = []
        self.also: list[Record] = []
        """What was sent beside pending commands."""

    def hears(self, message: Record) -> Self:
        """Bring ``message`` to the saga."""
        self.now += timedelta(milliseconds=1)
        return self._take(advance(self.saga, self.instance, message, f"message-{len(self.fits) + 1}", self.now))

    replies = hears

    def hears_nothing(self, times: int = 1) -> Self:
        """Let the deadline pass, ``times`` in a row."""
        for _ in range(times):
            assert self.instance is not None
            assert self.instance.deadline is not None, "nothing is awaited"
            self.now = max(self.now, self.instance.deadline)
            self._take(overdue(self.saga, self.instance, self.now))
        return self

    def is_retried(self, note: str) -> Self:
        """Let an operator ask for the pending command again; the timer sends it."""
        assert self.instance is not None
        self.now += timedelta(seconds=1)
        return self._take(retry(self.saga, self.instance, note, self.now)).hears_nothing()

    def is_cancelled(self, note: str) -> Self:
        """Let an operator have the saga undone; the timer sends the undo."""
        assert self.instance is not None
        self.now += timedelta(seconds=1)
        transition = cancel(self.saga, self.instance, note, self.now)
        return self._take(transition).hears_nothing() if transition else self

    def _take(self, transition: Transition) -> Self:
        self.instance = transition.saga
        self.fits.append(transition.fit)
        if transition.also:
            self.also.append(transition.also)
        if transition.event:
            self.history.append(transition.event)
        return self

    @property
    def wait_seconds(self) -> float:
        """How long the pending command's reply is waited for now."""
        assert self.instance is not None
        assert self.instance.deadline is not None
        return (self.instance.deadline - self.now).total_seconds()

    @property
    def stuck(self) -> bool:
        assert self.instance is not None
        return self.instance.stuck

    def told(self, event: EventType) -> list[str | None]:
        """Return the reasons of the history's lines of one kind."""
        return [line.reason for line in self.history if line.type is event]

    def expects(self, command: Record) -> Self:
        """Assert that ``command`` is the one outstanding."""
        assert self.instance is not None
        assert not self.instance.ended, f"the saga has ended, {self.instance.status}"
        assert pending_command(self.saga, self.instance) == command
        return self

    def ends_with(self, command: Record, status: Status) -> Self:
        """Assert that the saga has ended and says so with ``command``."""
        assert self.instance is not None
        assert self.instance.ended, f"the saga still awaits {self.instance.step}"
        assert self.instance.status is status
        assert pending_command(self.saga, self.instance) == command
        return self
