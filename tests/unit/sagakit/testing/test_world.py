"""The kit's real code goes on in a world in memory, whatever happens to its processes."""

from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from sagakit.consumer.dispatch import handles
from sagakit.kafka.consumed import Partition
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record
from sagakit.saga.instance import Instance, Status
from sagakit.testing.example import (
    RECORDS,
    TRIP_SAGA,
    BookCar,
    BookFlight,
    BookHotel,
    CancelFlight,
    CancelHotel,
    CarBooked,
    ConfirmTrip,
    FlightBooked,
    FlightCancelled,
    HotelBooked,
    HotelCancelled,
    RefuseTrip,
    TripPlanned,
)
from sagakit.testing.world.database import of
from sagakit.testing.world.faults import Fault
from sagakit.testing.world.processes import OrchestratorProcess
from sagakit.testing.world.registry import codec_of
from sagakit.testing.world.seams import simulated
from sagakit.testing.world.world import World


@handles(BookHotel)
def book_hotel(commands: Sequence[BookHotel], tx: Transaction) -> list[Record]:
    rooms = of(tx).write("rooms")
    for command in commands:
        rooms.setdefault(command.key, command.city)
    return [HotelBooked(command.key) for command in commands]


@handles(CancelHotel)
def cancel_hotel(commands: Sequence[CancelHotel], tx: Transaction) -> list[Record]:
    for command in commands:
        of(tx).write("rooms").pop(command.key, None)
    return [HotelCancelled(command.key) for command in commands]


@handles(BookFlight)
def book_flight(commands: Sequence[BookFlight], _: Transaction) -> list[Record]:
    return [
        FlightBooked(
            command.key, success=command.city != "Atlantis", reason=None if command.city != "Atlantis" else "SUNK"
        )
        for command in commands
    ]


def _sunk(key: int) -> FlightBooked:
    return FlightBooked(key, success=False, reason="SUNK")


@handles(CancelFlight)
def cancel_flight(commands: Sequence[CancelFlight], _: Transaction) -> list[Record]:
    return [FlightCancelled(command.key) for command in commands]


@handles(BookCar)
def book_car(commands: Sequence[BookCar], _: Transaction) -> list[Record]:
    return [CarBooked(command.key) for command in commands]


REPLIES = ["trip-planned", "hotel-booked", "flight-booked", "car-booked"]
"""What the orchestrator consumes."""


class Trips(World):
    """Those who book hotels, flights and cars, and the orchestrator between them."""

    def __init__(self) -> None:
        super().__init__({record.TOPIC: 2 for record in RECORDS}, codec_of(*RECORDS))
        self.hotels = self.add("hotels", ["book-hotel"], handlers=[book_hotel, cancel_hotel])
        self.add("flights", ["book-flight"], handlers=[book_flight, cancel_flight])
        self.add("cars", ["book-car"], handlers=[book_car])
        self.orchestrator = self.add("trips", REPLIES, kind=partial(OrchestratorProcess, saga=TRIP_SAGA))

    def saga(self, key: int) -> Instance:
        found: Instance = self.orchestrator.database.rows("sagas")[key]
        return found

    def fire_timers(self) -> None:
        process = self.orchestrator.process
        assert isinstance(process, OrchestratorProcess)
        self.orchestrator.do(process, process.fire_timers)


@pytest.fixture
def trips() -> Iterator[Trips]:
    with simulated():
        world = Trips()
        yield world
        world.end()


def test_a_saga_goes_to_its_end(trips: Trips) -> None:
    trips.publish(TripPlanned(7, "Rome", 2))
    assert trips.settle()
    assert trips.saga(7).status is Status.COMPLETED
    assert trips.records("end-trip") == [ConfirmTrip(7)]
    assert trips.hotels.database.rows("rooms") == {7: "Rome"}


def test_what_is_refused_is_undone(trips: Trips) -> None:
    trips.publish(TripPlanned(7, "Atlantis", 2))
    assert trips.settle()
    assert trips.records("end-trip") == [RefuseTrip(7, "SUNK")]
    assert trips.hotels.database.rows("rooms") == {}


@pytest.mark.parametrize("which", ["hotels", "trips"])
@pytest.mark.parametrize(
    "fault", [fault for fault in Fault if fault is not Fault.STOPPED], ids=lambda fault: fault.name
)
def test_a_saga_comes_to_its_end_whatever_happens_to_a_process(trips: Trips, which: str, fault: Fault) -> None:
    trips.publish(TripPlanned(7, "Rome", 2))
    for service in (trips.orchestrator, trips.hotels):
        service.consume(fault=fault if service.name == which else Fault.NONE)
    assert trips.settle()
    assert trips.saga(7).status is Status.COMPLETED
    assert set(trips.records("end-trip")) == {ConfirmTrip(7)}
    assert trips.hotels.database.rows("rooms") == {7: "Rome"}


def test_a_participant_that_was_forgotten_is_named_by_the_message_that_nobody_reads() -> None:
    with simulated():
        world = World({record.TOPIC: 2 for record in RECORDS}, codec_of(*RECORDS))
        world.add("trips", REPLIES, kind=partial(OrchestratorProcess, saga=TRIP_SAGA))
        world.publish(TripPlanned(7, "Rome", 2))
        with pytest.raises(AssertionError) as failed:
            world.settle()
        world.end()
    assert str(failed.value) == (
        "saga 7 waits, and no service of this world consumes book-hotel, "
        "where BookHotel(key=7, city='Rome', days=2) lies"
    )


def test_who_stood_still_too_long_has_lost_its_partitions_and_does_no_harm(trips: Trips) -> None:
    trips.publish(TripPlanned(7, "Rome", 2))
    trips.orchestrator.consume()
    trips.hotels.consume(fault=Fault.STOPPED)
    assert trips.settle()
    trips.hotels.wake()
    assert trips.settle()
    assert trips.saga(7).status is Status.COMPLETED


def test_a_lost_command_is_asked_for_again_when_its_time_has_come(trips: Trips) -> None:
    trips.publish(TripPlanned(7, "Rome", 2))
    trips.orchestrator.consume()
    trips.delete("book-hotel")
    assert trips.settle()
    assert trips.saga(7).step == "book-hotel"
    trips.pass_time(61)
    trips.fire_timers()
    assert trips.settle()
    assert trips.saga(7).status is Status.COMPLETED


def test_a_run_is_the_same_each_time(trips: Trips) -> None:
    def run(world: Trips) -> list[tuple[Partition, bytes | None]]:
        for key in range(20):
            world.publish(TripPlanned(key * 128, "Rome", 2))
        world.hotels.start()
        world.orchestrator.consume(limit=7, fault=Fault.COMMIT_UNHEARD)
        assert world.settle()
        return [(place, stored.key) for place, stored in world.broker.news]

    other = Trips()
    assert run(other) == run(trips)
    other.end()
