"""The saga engine on a real database: what it remembers of a saga never goes before what is stored."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count

import pytest

from devstack.stack import Stack
from sagakit.errors import Poison
from sagakit.messages import Message
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.operators import Operators
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.records import Record
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status
from sagakit.testing.example import (
    TRIP_SAGA,
    BookCar,
    BookFlight,
    BookHotel,
    CancelFlight,
    CarBooked,
    ConfirmTrip,
    FlightBooked,
    HotelBooked,
    TripPlanned,
)
from tests.support.scratch import database_of, migrated_database
from tests.support.series import Since

NUMBERS = count(100)


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "orchestrator_svc"))
    yield database
    database.close()


class Counting(SagaStore):
    """A store that counts how often sagas were stored as they are remembered, in the hope that they still are so."""

    guesses = 0

    def save(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        loaded: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> None:
        self.guesses -= 1  # it calls `save_if`, and is no guess
        super().save(tx, changed, loaded, events)

    def save_if(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        known: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> Deferred[list[Row]]:
        self.guesses += 1
        return super().save_if(tx, changed, known, events)


class Interrupted(Exception):
    """What a batch may fail by after its messages are handled, such as a lost connection."""


class Process:
    """One orchestrator's process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Counting(TripPlanned)
        self._engine = SagaEngine(TRIP_SAGA, self.store)
        self.hears(plan())  # from now on it knows what time it is there

    def hears(self, *records: Record, interrupted: bool = False) -> list[Record]:
        """Handle one batch, unless it is interrupted before its commit; return the commands it brings about."""
        batch = [Message(record, record.TOPIC, 0, 0, f"message-{next(NUMBERS)}", None) for record in records]
        with suppress(Interrupted), self.database.pipeline() as pipeline:
            commands = [outgoing.record for outgoing in self._engine.handle(batch, pipeline)]
            if interrupted:
                raise Interrupted
            return commands
        return []

    def saga(self, key: int) -> Instance:
        with self.database.transaction() as tx:
            return self.store.get(tx, [key])[key]

    def history(self, key: int) -> list[EventType]:
        with self.database.transaction() as tx:
            return [event.type for event in self.store.history(tx, key, limit=100)]


@pytest.fixture
def process(database: Database) -> Process:
    return Process(database)


@pytest.fixture
def other(database: Database) -> Process:
    return Process(database)


def plan() -> TripPlanned:
    return TripPlanned(next(NUMBERS), "Rome", 2)


def hotel_booked(trip: TripPlanned) -> HotelBooked:
    return HotelBooked(trip.key)


def flight_booked(trip: TripPlanned) -> FlightBooked:
    return FlightBooked(trip.key)


def car_booked(trip: TripPlanned) -> CarBooked:
    return CarBooked(trip.key)


def book_hotel(trip: TripPlanned) -> BookHotel:
    return BookHotel(trip.key, trip.city, trip.days)


def book_flight(trip: TripPlanned) -> BookFlight:
    return BookFlight(trip.key, trip.city, trip.days)


def book_car(trip: TripPlanned) -> BookCar:
    return BookCar(trip.key, trip.city, trip.days)


def confirm(trip: TripPlanned) -> ConfirmTrip:
    return ConfirmTrip(trip.key)


FORWARD = [EventType.STARTED, EventType.STEP_DONE, EventType.STEP_DONE, EventType.STEP_DONE]


def test_sagas_go_on_to_their_end_in_the_process_that_began_them(process: Process) -> None:
    one, two = plan(), plan()
    assert process.hears(one, two) == [book_hotel(one), book_hotel(two)]
    assert process.hears(hotel_booked(two), hotel_booked(one)) == [book_flight(two), book_flight(one)]
    assert process.hears(flight_booked(one)) == [book_car(one)]
    assert process.hears(car_booked(one)) == [confirm(one)]
    assert process.saga(one.key).status is Status.COMPLETED
    assert process.saga(two.key).step == "book-flight"
    assert process.history(one.key) == FORWARD


def test_sagas_go_on_in_a_process_that_never_heard_of_them(process: Process, other: Process) -> None:
    one = plan()
    process.hears(one)
    assert other.hears(hotel_booked(one)) == [book_flight(one)]
    assert process.hears(flight_booked(one)) == [book_car(one)]
    assert other.hears(car_booked(one)) == [confirm(one)]
    assert process.history(one.key) == FORWARD


def test_a_start_that_came_before_is_only_answered_again(process: Process, other: Process) -> None:
    one, new = plan(), plan()
    process.hears(one)
    for each in (process, other):
        assert set(each.hears(one, new)) == {book_hotel(one), book_hotel(new)}
    assert process.history(one.key) == process.history(new.key) == [EventType.STARTED]


def test_a_start_and_its_reply_in_one_batch_are_both_taken(process: Process) -> None:
    one = plan()
    assert process.hears(one, hotel_booked(one)) == [book_flight(one)]
    assert process.history(one.key) == FORWARD[:2]
    assert process.saga(one.key).version == 2


def test_a_repeated_reply_is_answered_by_what_is_stored_now(process: Process, other: Process) -> None:
    one = plan()
    process.hears(one)
    process.hears(hotel_booked(one))
    other.hears(flight_booked(one))
    assert process.hears(hotel_booked(one)) == [book_car(one)], "the flight is no longer what is asked for"


def test_a_saga_that_somebody_else_has_changed_is_not_guessed_at_twice(process: Process, other: Process) -> None:
    """Each wrong guess is a round trip for nothing."""
    one = plan()
    process.hears(one)
    other.hears(hotel_booked(one))
    assert process.hears(hotel_booked(one)) == process.hears(hotel_booked(one)) == [book_flight(one)]
    assert process.store.guesses == 2, "its start, and the first reply"


def test_what_an_operator_had_undone_is_not_taken_further(process: Process) -> None:
    one, bystander = plan(), plan()
    process.hears(one, bystander)
    with process.database.transaction() as tx:
        Operators(TRIP_SAGA, process.store).cancel(tx, Filter(ids=[one.key]), "operator: no", limit=1)
    undo = CancelFlight(one.key, one.city, one.days)
    assert set(process.hears(hotel_booked(one), hotel_booked(bystander))) == {undo, book_flight(bystander)}
    assert process.saga(one.key).status is Status.COMPENSATING
    assert process.history(bystander.key) == FORWARD[:2]


def test_a_database_that_went_back_in_time_is_believed(process: Process, other: Process) -> None:
    one = plan()
    process.hears(one)
    began = process.saga(one.key)
    process.hears(hotel_booked(one))
    with process.database.transaction() as tx:
        process.store.save(tx, [began], {one.key: process.saga(one.key)}, [])
        tx.execute("DELETE FROM saga_events WHERE saga_id = %(id)s AND version = 2", {"id": one.key})
    other.hears(replace(hotel_booked(one), success=False, reason="NO_ROOM"))
    assert process.saga(one.key).version == 2, "as many changes as are remembered"
    process.hears(flight_booked(one))
    assert process.saga(one.key).status is Status.COMPENSATED


def test_a_poisoned_message_does_not_keep_the_others_from_being_taken_later(process: Process) -> None:
    one, never = plan(), plan()
    with pytest.raises(Poison):
        process.hears(one, hotel_booked(never))
    assert process.hears(one) == [book_hotel(one)]
    assert process.history(one.key) == [EventType.STARTED]


def test_an_end_is_counted_once_it_is_stored_and_only_then(process: Process, other: Process) -> None:
    since, one = Since(), plan()
    process.hears(one, hotel_booked(one), flight_booked(one))
    other.hears(car_booked(one), interrupted=True)
    stored = process.saga(one.key).status is Status.COMPLETED
    assert since("sagakit_sagas_ended_total", status="COMPLETED") == stored
    other.hears(car_booked(one))
    assert process.saga(one.key).status is Status.COMPLETED
    for counted in ("sagakit_sagas_ended_total", "sagakit_saga_seconds_count"):
        assert since(counted, status="COMPLETED") == 1
