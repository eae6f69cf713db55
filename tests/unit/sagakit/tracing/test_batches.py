"""The spans of batches: one for each message that is recorded, and one of the batch, in a trace of its own."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sagakit.trace_context import TraceContext, new_trace
from sagakit.tracing.batches import Batch, Handling
from sagakit.tracing.messages import transacting
from tests.support.spans import named

CALL = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
PLACE = ("book-hotel", 3, 77)


def linked(span: ReadableSpan) -> list[str]:
    return [f"{link.context.span_id:016x}" for link in span.links]


def test_a_batch_has_a_trace_of_its_own_that_links_its_messages(kept: InMemorySpanExporter) -> None:
    with Handling("bookings").batch(2) as batch:
        batch.taken(CALL, PLACE)
        batch.taken(new_trace(), ("book-hotel", 3, 78))
    (one,) = named(kept, "process batch bookings")
    assert one.parent is None
    assert linked(one) == [CALL.span_id]
    assert dict(one.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": "bookings",
        "messaging.batch.message_count": 2,
    }


def test_spans_have_the_names_and_attributes_of_the_conventions(kept: InMemorySpanExporter) -> None:
    with Handling("bookings").batch(1) as batch:
        batch.taken(CALL, PLACE)
    (one,) = named(kept, "process book-hotel")
    assert one.kind is SpanKind.CONSUMER
    assert dict(one.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": "bookings",
        "messaging.destination.name": "book-hotel",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 77,
    }


def test_a_message_that_cannot_be_handled_is_an_error(kept: InMemorySpanExporter) -> None:
    with Handling("bookings").batch(2) as batch:
        batch.taken(CALL, PLACE)
        batch.taken(CALL, ("book-hotel", 3, 78))
        batch.failed(PLACE, ValueError("bad"))
    ended = named(kept, "process book-hotel")
    assert [span.status.status_code for span in ended] == [StatusCode.ERROR, StatusCode.UNSET]
    assert dict(ended[0].attributes or {})["error.type"] == "ValueError"


def fail(handling: Handling) -> None:
    with handling.batch(1) as batch, transacting(1, [batch.taken(CALL, PLACE)]):
        raise ConnectionError


def test_a_batch_that_is_done_again_has_failed_as_a_whole(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ConnectionError):
        fail(Handling("bookings"))
    assert {span.status.status_code for span in kept.get_finished_spans()} == {StatusCode.ERROR}
    assert len(kept.get_finished_spans()) == 3


def test_a_message_that_comes_again_has_one_more_handling_that_links_the_one_before(
    kept: InMemorySpanExporter,
) -> None:
    handling = Handling("bookings")
    with pytest.raises(ConnectionError):
        fail(handling)
    for _ in range(2):
        with handling.batch(1) as batch:
            batch.taken(CALL, PLACE)
    first, again, other = named(kept, "process book-hotel")
    assert [span.parent.span_id for span in (first, again) if span.parent] == [int(CALL.span_id, 16)] * 2
    assert first.context is not None
    assert [linked(span) for span in (first, again, other)] == [[], [f"{first.context.span_id:016x}"], []]


def test_what_time_has_sent_again_goes_on_in_its_trace(kept: InMemorySpanExporter) -> None:
    with Batch("deadlines bookings") as batch:
        assert batch.add(1, "deadline book-hotel", {"attempt": 2}, None) is None
        beneath = batch.add(2, "deadline book-hotel", {"attempt": 2}, CALL)
        batch.done([1, 2])
    (one,), (whole,) = named(kept, "deadline book-hotel"), named(kept, "deadlines bookings")
    assert beneath is not None
    assert one.parent is not None
    assert (beneath.trace_id, f"{one.parent.span_id:016x}") == (CALL.trace_id, CALL.span_id)
    assert (one.kind, dict(one.attributes or {})) == (SpanKind.INTERNAL, {"attempt": 2})
    assert linked(whole) == [CALL.span_id]


def test_what_a_transaction_that_is_run_again_makes_is_beneath_a_span_that_ends(kept: InMemorySpanExporter) -> None:
    with Batch("deadlines bookings") as batch:
        places = [batch.add(1, "deadline book-hotel", {"attempt": 2}, CALL) for _ in range(2)]
        batch.done([1])
    (one,) = named(kept, "deadline book-hotel")
    assert [place and place.span_id for place in places] == [f"{one.context.span_id:016x}"] * 2


def test_what_no_transaction_has_done_in_the_end_has_no_span_and_what_has_failed_is_an_error(
    kept: InMemorySpanExporter,
) -> None:
    with Batch("deadlines bookings") as batch:
        for key in (1, 2, 3):
            batch.add(key, f"deadline {key}", {}, CALL)
        batch.failed(1, ValueError("bad"))
        batch.done([2])
    assert [(span.name, span.status.status_code) for span in kept.get_finished_spans()] == [
        ("deadlines bookings", StatusCode.UNSET),
        ("deadline 1", StatusCode.ERROR),
        ("deadline 2", StatusCode.UNSET),
    ]
    assert linked(kept.get_finished_spans()[0]) == [CALL.span_id] * 2


def test_a_batch_that_fails_as_a_whole_has_done_nothing(kept: InMemorySpanExporter) -> None:
    def fail() -> None:
        with Batch("deadlines bookings") as batch:
            batch.add(1, "deadline book-hotel", {}, CALL)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert [span.status.status_code for span in kept.get_finished_spans()] == [StatusCode.ERROR] * 2


def test_a_batch_of_which_nothing_is_recorded_has_no_span(kept: InMemorySpanExporter) -> None:
    with Batch("deadlines bookings") as batch:
        batch.add(1, "deadline book-hotel", {}, new_trace())
    assert kept.get_finished_spans() == ()
