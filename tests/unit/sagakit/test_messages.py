"""The headers of a message."""

from sagakit.messages import Message, Outgoing
from sagakit.trace_context import TraceContext, trace_of
from tests.support.trip import BOOK_HOTEL, PLANNED

TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True, state="congo=1")


def test_an_answer_names_its_cause_and_goes_on_in_its_trace() -> None:
    headers = dict(Outgoing(BOOK_HOTEL, Message(PLANNED, PLANNED.TOPIC, 0, 7, "the-cause", TRACE)).headers(TRACE))
    assert headers["causation-id"] == b"the-cause"
    assert headers["message-type"] == b"sagakit.testing.example.BookHotel"
    assert trace_of(headers.items()) == TRACE


def test_what_no_message_brought_about_has_no_cause_and_goes_on_in_its_callers_trace() -> None:
    headers = dict(Outgoing(PLANNED, trace=TRACE).headers(TRACE))
    assert "causation-id" not in headers
    assert trace_of(headers.items()) == TRACE


def test_what_nobody_traces_begins_a_trace_that_nobody_records() -> None:
    begun = trace_of(Outgoing(PLANNED).headers(None))
    assert begun is not None
    assert not begun.sampled


def test_each_message_has_an_id_of_its_own() -> None:
    assert len({dict(Outgoing(PLANNED).headers(None))["message-id"] for _ in range(1000)}) == 1000
