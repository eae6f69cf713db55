"""A saga as a conversation: what it asks, what it is answered, and how it ends."""

from datetime import UTC, datetime, timedelta
from typing import Self

from chassis.messages import Record
from saga import Saga
from saga.advance import Fit, advance
from saga.instance import Event, Instance, Status, pending_command


class Conversation:
    """Plays every participant of one saga."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.instance: Instance | None = None
        self.history: list[Event] = []
        self.fits: list[Fit] = []

    def hears(self, message: Record) -> Self:
        """Bring ``message`` to the saga."""
        self.now += timedelta(milliseconds=1)
        transition = advance(self.saga, self.instance, message, f"message-{len(self.fits) + 1}", self.now)
        self.instance = transition.saga
        self.fits.append(transition.fit)
        if transition.event:
            self.history.append(transition.event)
        return self

    replies = hears

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
