"""The spans of messages: all that follows from a call is one tree, and what is not recorded costs nothing."""

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sagakit.messages import Encoded
from sagakit.trace_context import TraceContext, new_trace
from sagakit.tracing.messages import Handled, created, places, sending, transacting

CALL = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="congo=1")
PLACE = ("book-hotel", 3, 77)


def message(trace: TraceContext | None) -> Encoded:
    return Encoded("book-hotel", b"1", b"", (trace or new_trace()).headers)


def by_name(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in kept.get_finished_spans()}


def parent(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


def test_a_message_is_beneath_what_made_it_and_its_handling_beneath_the_message(
    kept: InMemorySpanExporter,
) -> None:
    made = created("book-hotel", CALL)
    assert made is not None
    with sending([message(made)]):
        pass
    with Handled("bookings", 5) as batch:
        handling = batch.taken(made, PLACE)
        with transacting(5) as beneath:
            beneath += [handling, None, new_trace()]
        answer = created("hotel-booked", handling)
    assert answer is not None
    found = by_name(kept)
    assert set(found) == {
        "create book-hotel", "send book-hotel", "process book-hotel", "transaction", "create hotel-booked",
        "process batch bookings",
    }  # fmt: skip
    assert parent(found["create book-hotel"]) == CALL.span_id
    assert parent(found["send book-hotel"]) == parent(found["process book-hotel"]) == made.span_id
    assert handling is not None
    assert parent(found["transaction"]) == parent(found["create hotel-booked"]) == handling.span_id
    tree = {span.context.trace_id for name, span in found.items() if name != "process batch bookings" if span.context}
    assert tree == {int(CALL.trace_id, 16)}
    assert {made.state, answer.state} == {"congo=1"}


def test_a_batch_has_a_trace_of_its_own_that_links_its_messages(kept: InMemorySpanExporter) -> None:
    with Handled("bookings", 2) as batch:
        batch.taken(CALL, PLACE)
        batch.taken(new_trace(), ("book-hotel", 3, 78))
    one = by_name(kept)["process batch bookings"]
    assert one.parent is None
    assert [f"{link.context.span_id:016x}" for link in one.links] == [CALL.span_id]
    assert dict(one.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": "bookings",
        "messaging.batch.message_count": 2,
    }


def test_spans_have_the_names_and_attributes_of_the_conventions(kept: InMemorySpanExporter) -> None:
    with Handled("bookings", 1) as batch:
        batch.taken(CALL, PLACE)
    one = by_name(kept)["process book-hotel"]
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
    with Handled("bookings", 2) as batch:
        batch.taken(CALL, PLACE)
        batch.taken(CALL, ("book-hotel", 3, 78))
        batch.failed(PLACE, ValueError("bad"))
    ended = [span for span in kept.get_finished_spans() if span.name == "process book-hotel"]
    assert [span.status.status_code for span in ended] == [StatusCode.ERROR, StatusCode.UNSET]
    assert dict(ended[0].attributes or {})["error.type"] == "ValueError"


def test_a_batch_that_is_done_again_has_failed_as_a_whole(kept: InMemorySpanExporter) -> None:
    def apply() -> None:
        with Handled("bookings", 1) as batch:
            handling = batch.taken(CALL, PLACE)
            with transacting(1) as beneath:
                beneath += [handling]
                raise ConnectionError

    with pytest.raises(ConnectionError):
        apply()
    assert {span.status.status_code for span in kept.get_finished_spans()} == {StatusCode.ERROR}
    assert len(kept.get_finished_spans()) == 3


@pytest.mark.parametrize("trace", [None, new_trace()], ids=["none", "not-recorded"])
def test_what_is_not_recorded_goes_on_as_it_came(kept: InMemorySpanExporter, trace: TraceContext | None) -> None:
    made = created("book-hotel", trace)
    assert made == trace or (trace is None and made is not None and not made.sampled)
    with sending([message(made)]), Handled("bookings", 1) as batch, transacting(1) as beneath:
        assert batch.taken(made, PLACE) == made
        beneath += [made]
    assert places([message(made)]) == []
    assert kept.get_finished_spans() == ()


def test_without_tracing_a_recorded_trace_goes_on_as_it_came() -> None:
    assert created("book-hotel", CALL) is CALL
    assert created("book-hotel", None) is None
    with Handled("bookings", 1) as batch:
        assert batch.taken(CALL, PLACE) is CALL
    assert places([message(CALL)]) == []
