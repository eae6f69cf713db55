"""The spans of messages: all that follows from a call is one tree, and what is not recorded costs nothing."""

from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sagakit.messages import Encoded
from sagakit.trace_context import TraceContext, if_recorded, new_trace
from sagakit.tracing import statements
from sagakit.tracing.batches import Handling
from sagakit.tracing.messages import created, made, sending, transacting

CALL = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="congo=1")
PLACE = ("book-hotel", 3, 77)


def message(trace: TraceContext | None, export: Callable[[], None] | None = None) -> Encoded:
    return Encoded("book-hotel", b"1", b"", (trace or new_trace()).headers, if_recorded(trace), export)


def by_name(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in kept.get_finished_spans()}


def parent(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


def test_a_message_is_beneath_what_made_it_and_its_handling_beneath_the_message(
    kept: InMemorySpanExporter,
) -> None:
    asked, export = created("book-hotel", CALL)
    assert asked is not None
    made([message(asked, export)])
    with sending([message(asked)]):
        pass
    with Handling("bookings").batch(5) as batch:
        handling = batch.taken(asked, PLACE)
        with transacting(5, [handling, None, new_trace()]):
            pass
        answer, export = created("hotel-booked", handling)
        made([message(answer, export)])
    assert answer is not None
    found = by_name(kept)
    assert set(found) == {
        "create book-hotel", "send book-hotel", "process book-hotel", "transaction", "create hotel-booked",
        "process batch bookings",
    }  # fmt: skip
    assert parent(found["create book-hotel"]) == CALL.span_id
    assert parent(found["send book-hotel"]) == parent(found["process book-hotel"]) == asked.span_id
    assert handling is not None
    assert parent(found["transaction"]) == parent(found["create hotel-booked"]) == handling.span_id
    tree = {span.context.trace_id for name, span in found.items() if name != "process batch bookings" if span.context}
    assert tree == {int(CALL.trace_id, 16)}
    assert {asked.state, answer.state} == {"congo=1"}


def test_a_call_with_many_items_has_a_shared_transaction_once(kept: InMemorySpanExporter) -> None:
    with transacting(3, [CALL, CALL, None]):
        pass
    (one,) = kept.get_finished_spans()
    assert dict(one.attributes or {}) == {
        "db.system.name": "postgresql",
        "db.operation.name": "transaction",
        "db.operation.batch.size": 3,
    }


def test_what_fails_is_an_error_wherever_it_shows(kept: InMemorySpanExporter) -> None:
    def fail() -> None:
        with sending([message(CALL)]), transacting(1, [CALL]):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert [dict(span.attributes or {})["error.type"] for span in kept.get_finished_spans()] == ["ConnectionError"] * 2


@pytest.mark.parametrize("trace", [None, new_trace()], ids=["none", "not-recorded"])
def test_what_is_not_recorded_goes_on_as_it_came(kept: InMemorySpanExporter, trace: TraceContext | None) -> None:
    assert created("book-hotel", trace) == (trace, None)
    made([message(trace)])
    with sending([message(trace)]), Handling("bookings").batch(1) as batch, transacting(1, [trace]):
        assert batch.taken(trace, PLACE) is trace
        assert statements.watch() is None
    assert kept.get_finished_spans() == ()


def test_without_tracing_a_recorded_trace_goes_on_as_it_came() -> None:
    assert created("book-hotel", CALL) == (CALL, None)
    assert created("book-hotel", None) == (None, None)
    with sending([message(CALL)]), Handling("bookings").batch(1) as batch, transacting(1, [CALL]):
        assert batch.taken(CALL, PLACE) is CALL
        assert statements.watch() is None
