"""A saga as a conversation: what it asks, what it is answered, and how it ends. No server is needed.

::

    trip = Conversation(TRIP_SAGA)
    trip.hears(TripPlanned(7, "Rome", days=2))
    trip.expects(BookHotel).replies(HotelBooked(7))
    trip.expects(BookFlight).replies(FlightBooked(7, success=False, reason="SOLD_OUT"))
    trip.expects(CancelHotel).replies(HotelCancelled(7))
    trip.ends_with(RefuseTrip(7, "SOLD_OUT"), Status.COMPENSATED)

A conversation that goes otherwise fails, and shows what was expected, what came instead, and all that was said before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NoReturn, Self

from sagakit.errors import SagakitError
from sagakit.records import Record
from sagakit.saga import Saga
from sagakit.saga.advance import advance
from sagakit.saga.instance import Event, EventType, Instance, Status, pending_command
from sagakit.saga.interventions import cancel, retry
from sagakit.saga.overdue import overdue
from sagakit.saga.transition import Fit, Transition
from sagakit.testing.clock import Clock

_A_MOMENT = timedelta(milliseconds=1)


class Conversation:
    """Plays every participant of one saga, and its timers."""

    def __init__(self, saga: Saga, clock: Clock | None = None) -> None:
        """Talk with ``saga`` by the time of ``clock``, which several conversations may share."""
        self.saga, self.clock = saga, clock or Clock()
        self.history: list[Event] = []
        """The lines that would be stored."""
        self.fits: list[Fit] = []
        """How each thing that came fitted the saga."""
        self.also: list[Record] = []
        """What was sent beside pending commands: undos of steps that were done late."""
        self._instance: Instance | None = None
        self._began = self.clock.now
        self._said: list[str] = []
        self.clock.each_time(self._fire_timer)

    @property
    def instance(self) -> Instance:
        """The saga as it would be stored now."""
        if self._instance is None:
            self._fail("the saga has not begun")
        return self._instance

    @property
    def wait(self) -> timedelta:
        """How long the saga waits for the pending command's reply, from now on."""
        if self.instance.deadline is None:
            self._fail("the saga awaits nothing")
        return self.instance.deadline - self.clock.now

    def hears(self, message: Record) -> Self:
        """Bring ``message`` to the saga, a moment later.

        Raises:
            Poison: the saga cannot take it; the error's notes show what was said before.
        """
        if self._instance and message.key != self._instance.saga_id:
            self._fail(f"{message} is for saga {message.key}, and this is saga {self._instance.saga_id}")
        self.clock.advance(_A_MOMENT)
        message_id, what = f"message-{len(self.fits) + 1}", f"hears {message}"
        with self._so_far_noted(what):
            transition = advance(self.saga, self._instance, message, message_id, self.clock.now)
        return self._take(what, transition)

    replies = hears

    def hears_nothing(self, times: int = 1) -> Self:
        """Let the time pass until the pending command is sent again or given up, ``times`` in a row."""
        for _ in range(times):
            self.clock.advance(max(self.wait, timedelta(0)))
        return self

    def is_retried(self, note: str) -> Self:
        """Let an operator ask for the pending command again; the timer sends it."""
        self.clock.advance(_A_MOMENT)
        self._take(f"is retried, {note}", retry(self.saga, self.instance, note, self.clock.now))
        return self.hears_nothing()

    def is_cancelled(self, note: str) -> Self:
        """Let an operator have the saga undone; the timer sends the undo.

        Raises:
            sagakit.errors.Refused: the saga is past its pivot; the error's notes show what was said before.
        """
        self.clock.advance(_A_MOMENT)
        what = f"is cancelled, {note}"
        with self._so_far_noted(what):
            transition = cancel(self.saga, self.instance, note, self.clock.now)
        return self._take(what, transition).hears_nothing() if transition else self

    def expects(self, command: Record | type[Record]) -> Self:
        """See that the saga goes on, and asks for ``command``, or for one of that type."""
        if self.instance.ended:
            self._fail(f"the saga has ended, {self.instance.status}", expected=command)
        if not _is(self._pending(), command):
            self._fail("the saga asks for another command", expected=command)
        return self

    def ends_with(self, command: Record | type[Record], status: Status | str) -> Self:
        """See that the saga has ended with ``status``, and says so with ``command``, or with one of that type.

        The status may be given as text, such as ``"COMPENSATED"``.
        """
        if not self.instance.ended:
            self._fail(f"the saga has not ended, it awaits {self.instance.step}", expected=command)
        if self.instance.status != status:
            self._fail(f"the saga has ended {self.instance.status}, not {status}", expected=command)
        if not _is(self._pending(), command):
            self._fail("the saga ends with another command", expected=command)
        return self

    def reasons(self, event: EventType) -> list[str | None]:
        """Return the reasons of the history's lines of one kind."""
        return [line.reason for line in self.history if line.type is event]

    def _fire_timer(self) -> None:
        while self._instance and self._instance.deadline and self._instance.deadline <= self.clock.now:
            due = max(self._instance.deadline, self._instance.update_time)
            self._take("is overdue", overdue(self.saga, self._instance, due), due)

    def _take(self, what: str, transition: Transition, at: datetime | None = None) -> Self:
        self._instance = transition.saga
        self.fits.append(transition.fit)
        if transition.also:
            self.also.append(transition.also)
        if transition.event:
            self.history.append(transition.event)
        also = f", also sends {transition.also}" if transition.also else ""
        asks = f", {'ends with' if self._instance.ended else 'asks for'} {self._pending()}" if transition.send else ""
        self._said.append(f"{(at or self.clock.now) - self._began}  {what}: {transition.fit}{also}{asks}")
        return self

    def _pending(self) -> Record:
        return pending_command(self.saga, self.instance)

    def _fail(self, why: str, expected: Record | type[Record] | None = None) -> NoReturn:
        lines = [f"{self.saga.name}: {why}"]
        if expected is not None:
            wanted = f"any {expected.__name__}" if isinstance(expected, type) else str(expected)
            lines += [f"  expected: {wanted}", f"  actual:   {self._pending()}"]
        raise AssertionError("\n".join([*lines, self._so_far()]))

    @contextmanager
    def _so_far_noted(self, what: str) -> Iterator[None]:
        """Add what was said so far, and ``what`` comes now, to an error of the kit."""
        try:
            yield
        except SagakitError as error:
            error.add_note(self._so_far(f"{self.clock.now - self._began}  {what}: {type(error).__name__}"))
            raise

    def _so_far(self, *last: str) -> str:
        said = [*self._said, *last] or ["nothing was said"]
        return "\n".join(["so far:", *(f"  {line}" for line in said)])


def _is(command: Record, expected: Record | type[Record]) -> bool:
    return type(command) is expected if isinstance(expected, type) else command == expected
