"""A saga's declaration says which messages it hears and which it sends, so that nobody lists them beside it."""

from dataclasses import replace

import pytest

from sagakit.saga import Backoff, Cancel, Saga, Step, seconds
from sagakit.testing.example import (
    BookFlight,
    CancelFlight,
    ConfirmTrip,
    FlightBooked,
    FlightCancelled,
    RefuseTrip,
    TripCancelled,
    TripPlanned,
)


def fly(trip: TripPlanned) -> BookFlight:
    raise NotImplementedError


def stay(trip: TripPlanned) -> CancelFlight:
    raise NotImplementedError


def confirm(trip: TripPlanned) -> ConfirmTrip:
    raise NotImplementedError


def refuse(trip: TripPlanned, reason: str) -> RefuseTrip:
    raise NotImplementedError


FLY = Step(
    "fly", do=fly, done=FlightBooked, undo=stay, undone=FlightCancelled,
    timeout=seconds(1), retry=Backoff(attempts=1, cap=seconds(1)),
)  # fmt: skip
SAGA = Saga(
    name="short", start=TripPlanned, steps=(FLY,), on_completed=confirm, on_compensated=refuse,
    cancel=Cancel(TripCancelled, start=lambda cancel: cancel, note=str),
)  # fmt: skip


def test_a_saga_hears_its_start_its_cancel_and_each_step_s_replies() -> None:
    assert SAGA.hears == (TripPlanned, TripCancelled, FlightBooked, FlightCancelled)


def test_a_saga_sends_what_the_functions_of_its_declaration_are_annotated_with() -> None:
    assert SAGA.commands == (BookFlight, CancelFlight, ConfirmTrip, RefuseTrip)


def test_a_function_without_the_type_of_its_command_is_named() -> None:
    silent = replace(SAGA, on_completed=lambda trip: ConfirmTrip(trip.key))
    with pytest.raises(ValueError, match=r"saga short: annotate what .*<lambda> returns: the type of the command"):
        _ = silent.commands
