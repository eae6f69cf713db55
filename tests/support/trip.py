"""What is said about one trip of the kit's example saga, by everyone."""

from sagakit.testing.example import (
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
    TripCancelled,
    TripPlanned,
)

PLANNED = TripPlanned(7, "Rome", 2)
CANCELLED = TripCancelled(7, "Rome", 2, actor="ann", note="changed my mind")
BOOK_HOTEL, CANCEL_HOTEL = BookHotel(7, "Rome", 2), CancelHotel(7, "Rome", 2)
BOOK_FLIGHT, CANCEL_FLIGHT = BookFlight(7, "Rome", 2), CancelFlight(7, "Rome", 2)
BOOK_CAR = BookCar(7, "Rome", 2)
CONFIRM = ConfirmTrip(7)

HOTEL_BOOKED, HOTEL_CANCELLED = HotelBooked(7), HotelCancelled(7)
FLIGHT_BOOKED, FLIGHT_CANCELLED = FlightBooked(7), FlightCancelled(7)
CAR_BOOKED = CarBooked(7)
NO_HOTEL = HotelBooked(7, success=False, reason="NO_ROOM")
NO_FLIGHT = FlightBooked(7, success=False, reason="NO_SEAT")
NO_CAR = CarBooked(7, success=False, reason="NO_CAR")


def refuse(reason: str) -> RefuseTrip:
    """Return the word with which the saga ends where all is undone."""
    return RefuseTrip(7, reason)
