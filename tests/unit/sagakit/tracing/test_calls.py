"""The spans of calls: beneath the caller's, or the root of a new trace."""

import uuid
from unittest.mock import Mock

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode, TraceState

from sagakit.trace_context import TraceContext, trace_of
from sagakit.tracing import calls
from tests.unit.sagakit.tracing.conftest import Keep

METHOD = "bank.v1.Transfers/Add"
CALLER = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True, state="congo=1")
UNRECORDED = CALLER._replace(sampled=False)


def place(span: ReadableSpan) -> TraceContext:
    """Return the place beneath ``span``."""
    found = span.context
    assert found is not None
    return TraceContext(
        f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled, found.trace_state.to_header()
    )


async def test_a_call_is_beneath_its_caller_s_span(kept: InMemorySpanExporter) -> None:
    span, here = calls.begin(METHOD, CALLER)
    assert calls.here() == here
    calls.end(span, "OK")
    (ended,) = kept.get_finished_spans()
    assert ended.parent is not None
    assert f"{ended.parent.span_id:016x}" == CALLER.span_id
    assert (ended.name, ended.kind) == (METHOD, SpanKind.SERVER)
    assert dict(ended.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
    }
    assert here == place(ended)
    assert here.trace_id == CALLER.trace_id
    assert ended.start_time is not None
    assert ended.end_time is not None
    assert ended.start_time <= ended.end_time


async def test_a_caller_s_trace_that_nobody_records_goes_on_as_it_came(kept: InMemorySpanExporter) -> None:
    assert calls.begin(METHOD, UNRECORDED) == (None, UNRECORDED)
    assert calls.here() == UNRECORDED
    assert kept.get_finished_spans() == ()


async def test_a_call_without_a_caller_begins_a_trace_that_the_sampler_may_record(keep: Keep) -> None:
    exporter = keep(ALWAYS_ON)
    span, here = calls.begin(METHOD, None)
    calls.end(span, "OK")
    (ended,) = exporter.get_finished_spans()
    assert ended.parent is None
    assert here == place(ended)


@pytest.mark.parametrize(
    ("code", "status"),
    [("INTERNAL", StatusCode.ERROR), ("UNAVAILABLE", StatusCode.ERROR), ("NOT_FOUND", StatusCode.UNSET)],
)
async def test_only_a_server_s_own_failure_is_an_error(
    kept: InMemorySpanExporter, code: str, status: StatusCode
) -> None:
    calls.end(calls.begin(METHOD, CALLER)[0], code)
    assert kept.get_finished_spans()[0].status.status_code is status


async def test_without_tracing_a_call_s_place_is_its_caller_s() -> None:
    assert calls.begin(METHOD, CALLER) == (None, CALLER)
    assert calls.begin(METHOD, None) == (None, None)


async def test_a_caller_s_state_is_parsed_once_and_never_logged(
    kept: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parse, state = Mock(side_effect=TraceState.from_header), f"once={uuid.uuid4().hex}"
    monkeypatch.setattr(TraceState, "from_header", parse)
    for given in [*["my secret"] * 3, *[state] * 3]:
        metadata = [("traceparent", CALLER.traceparent), ("tracestate", given)]
        calls.end(calls.begin(METHOD, trace_of(metadata))[0], "OK")
    assert [call.args for call in parse.call_args_list if call.args != ([""],)] == [([state],)]
    assert [place(span).state for span in kept.get_finished_spans()] == [""] * 3 + [state] * 3
    assert caplog.text == ""


async def test_a_span_does_not_end_before_it_began_where_the_clock_is_set_back(
    kept: InMemorySpanExporter,
) -> None:
    span, _ = calls.begin(METHOD, CALLER)
    assert span
    span.end(1)
    (ended,) = kept.get_finished_spans()
    assert ended.start_time == ended.end_time
