"""What a saga sends goes on in its cause's trace or, where nobody records that, in the one in which the saga began."""

from datetime import UTC, datetime

import pytest

from sagakit.messages import Message
from sagakit.orchestrator.course import course
from sagakit.records import Record
from sagakit.testing.example import TRIP_SAGA, HotelBooked, TripPlanned
from sagakit.trace_context import TraceContext, new_trace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEGUN = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
ANOTHER = TraceContext("00000000000000000000000000000001", "00f067aa0ba902b7", sampled=True)
UNRECORDED = new_trace()


def message(record: Record, trace: TraceContext | None) -> Message[Record]:
    return Message(record, "topic", 0, 1, "an-id", trace)


@pytest.mark.parametrize(
    ("begun", "replied", "goes_on"),
    [
        (BEGUN, BEGUN, BEGUN),
        (BEGUN, None, BEGUN),
        (BEGUN, UNRECORDED, BEGUN),
        (BEGUN, ANOTHER, ANOTHER),
        (UNRECORDED, ANOTHER, ANOTHER),
        (UNRECORDED, UNRECORDED, UNRECORDED),
        (None, None, None),
    ],
    ids=["same", "none", "unrecorded", "another", "late", "nobody", "never"],
)
def test_a_command_goes_on_in_a_trace_that_somebody_records(
    begun: TraceContext | None, replied: TraceContext | None, goes_on: TraceContext | None
) -> None:
    start = course(TRIP_SAGA, None, [message(TripPlanned(1, "Rome", 2), begun)], NOW)
    assert start.after.traceparent == (BEGUN.traceparent if begun is BEGUN else None)
    assert [one.beneath for one in start.outgoing(TRIP_SAGA)] == [begun]
    reply = course(TRIP_SAGA, start.after, [message(HotelBooked(1, success=True, reason=None), replied)], NOW)
    assert [one.beneath for one in reply.outgoing(TRIP_SAGA)] == [goes_on]
