"""A saga to try things on: a trip of a hotel, a flight and a car. The kit's own tests use it.

The flight is the pivot: once it is booked the trip takes place, and the car is asked for until there is one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sagakit.saga import Backoff, Cancel, Saga, Step, minutes, seconds
from sagakit.testing.records import PlainRecord


@dataclass(frozen=True)
class TripPlanned(PlainRecord, topic="trip-planned"):
    """Somebody wants to go to a city. It starts the trip's saga."""

    city: str
    days: int


@dataclass(frozen=True)
class TripCancelled(PlainRecord, topic="trip-planned"):
    """Somebody wants to stay at home after all. It carries the whole trip, because it may overtake its start."""

    city: str
    days: int
    actor: str
    note: str


@dataclass(frozen=True)
class _Booking(PlainRecord, topic=""):
    """What a command has to say."""

    city: str
    days: int


@dataclass(frozen=True)
class _Answer(PlainRecord, topic=""):
    """Whether something is booked, and, where it is not, why."""

    success: bool = True
    reason: str | None = None


class BookHotel(_Booking, topic="book-hotel"):
    """Ask for a room."""


class CancelHotel(_Booking, topic="book-hotel"):
    """Give the room back."""


class HotelBooked(_Answer, topic="hotel-booked"):
    """The room is booked, or why not."""


class HotelCancelled(PlainRecord, topic="hotel-booked"):
    """The room is given back."""


class BookFlight(_Booking, topic="book-flight"):
    """Ask for a seat."""


class CancelFlight(_Booking, topic="book-flight"):
    """Give the seat back."""


class FlightBooked(_Answer, topic="flight-booked"):
    """The seat is booked, or why not."""


class FlightCancelled(PlainRecord, topic="flight-booked"):
    """The seat is given back."""


class BookCar(_Booking, topic="book-car"):
    """Ask for a car."""


class CancelCar(_Booking, topic="book-car"):
    """Give the car back."""


class CarBooked(_Answer, topic="car-booked"):
    """The car is booked, or why not."""


class CarCancelled(PlainRecord, topic="car-booked"):
    """The car is given back."""


class ConfirmTrip(PlainRecord, topic="end-trip"):
    """Say that everything is booked."""


@dataclass(frozen=True)
class RefuseTrip(PlainRecord, topic="end-trip"):
    """Say that nothing is booked any more, and why."""

    reason: str


RECORDS: tuple[type[PlainRecord], ...] = (
    *(TripPlanned, TripCancelled, ConfirmTrip, RefuseTrip),
    *(BookHotel, CancelHotel, HotelBooked, HotelCancelled),
    *(BookFlight, CancelFlight, FlightBooked, FlightCancelled),
    *(BookCar, CancelCar, CarBooked, CarCancelled),
)
"""Every message of a trip."""


def _to(command: type[_Booking]) -> Callable[[TripPlanned], _Booking]:
    return lambda trip: command(trip.key, trip.city, trip.days)


_RETRY = Backoff(attempts=5, cap=minutes(10))

TRIP_SAGA = Saga(
    name="trip",
    start=TripPlanned,
    steps=(
        Step(
            "book-hotel",
            do=_to(BookHotel),
            done=HotelBooked,
            undo=_to(CancelHotel),
            undone=HotelCancelled,
            timeout=seconds(60),
            retry=_RETRY,
        ),
        Step(
            "book-flight",
            pivot=True,
            do=_to(BookFlight),
            done=FlightBooked,
            undo=_to(CancelFlight),
            undone=FlightCancelled,
            timeout=seconds(60),
            retry=_RETRY,
        ),
        Step(
            "book-car",
            do=_to(BookCar),
            done=CarBooked,
            undo=_to(CancelCar),
            undone=CarCancelled,
            timeout=seconds(60),
            retry=_RETRY,
        ),
    ),
    on_completed=lambda trip: ConfirmTrip(trip.key),
    on_compensated=lambda trip, reason: RefuseTrip(trip.key, reason),
    cancel=Cancel(
        TripCancelled,
        start=lambda cancel: TripPlanned(cancel.key, cancel.city, cancel.days),
        note=lambda cancel: f"{cancel.actor}: {cancel.note}",
    ),
)
