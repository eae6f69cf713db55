"""Which traces are recorded: as OpenTelemetry's variables say of new ones, and of those that a caller has begun."""

from collections import Counter

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sagakit.trace_context import TraceContext
from sagakit.tracing import calls
from sagakit.tracing.batches import Handling
from sagakit.tracing.messages import created, sending, transacting
from tests.unit.sagakit.tracing.conftest import Keep

METHOD = "bank.v1.Transfers/Add"
RECORDED = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
UNRECORDED = RECORDED._replace(sampled=False)
LOW = TraceContext("4bf92f3577b34da60000000000000001", "00f067aa0ba902b7", sampled=True)
"""A trace whose id lies within any share that is recorded."""
HIGH = TraceContext("4bf92f3577b34da6ffffffffffffffff", "00f067aa0ba902b7", sampled=True)
"""And one whose id lies within none but all."""


@pytest.fixture
def sampled(keep: Keep, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> InMemorySpanExporter:
    """The spans of a process whose environment names a sampler, and its argument."""
    sampler, argument = request.param
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    return keep(None)


def recorded(caller: TraceContext | None) -> bool:
    """Make a call, and say whether it is recorded."""
    span, here = calls.begin(METHOD, caller)
    calls.end(span, "OK")
    assert (span is not None) == bool(here and here.sampled)
    assert caller is None or (here and here.trace_id == caller.trace_id)
    return span is not None


@pytest.mark.parametrize(
    ("sampled", "new", "beneath_recorded", "beneath_unrecorded"),
    [
        (("parentbased_traceidratio", "0"), False, True, False),
        (("parentbased_traceidratio", "1"), True, True, False),
        (("parentbased_always_on", ""), True, True, False),
        (("parentbased_always_off", ""), False, True, False),
        (("always_on", ""), True, True, True),
        (("always_off", ""), False, False, False),
        (("traceidratio", "0"), False, False, False),
        (("traceidratio", "1"), True, True, True),
    ],
    indirect=["sampled"],
    ids=lambda value: "-".join(filter(None, value)) if isinstance(value, tuple) else str(value),
)
async def test_calls_are_recorded_as_the_sampler_says(
    sampled: InMemorySpanExporter, *, new: bool, beneath_recorded: bool, beneath_unrecorded: bool
) -> None:
    assert [recorded(caller) for caller in (None, RECORDED, UNRECORDED)] == [new, beneath_recorded, beneath_unrecorded]
    assert len(sampled.get_finished_spans()) == new + beneath_recorded + beneath_unrecorded


@pytest.mark.parametrize("sampled", [("parentbased_traceidratio", "0.25")], indirect=True, ids=["quarter"])
async def test_of_new_traces_a_share_is_recorded(sampled: InMemorySpanExporter) -> None:
    found = Counter(recorded(None) for _ in range(4000))
    assert 850 < found[True] < 1150
    assert len({span.context.trace_id for span in sampled.get_finished_spans() if span.context}) == found[True]


@pytest.mark.parametrize("sampled", [("traceidratio", "0.5")], indirect=True, ids=["half"])
async def test_a_share_of_all_traces_goes_by_their_ids(sampled: InMemorySpanExporter) -> None:
    assert [recorded(one) for one in (LOW, HIGH, LOW._replace(sampled=False))] == [True, False, True]
    assert len(sampled.get_finished_spans()) == 2


@pytest.mark.parametrize("sampled", [("always_on", "")], indirect=True, ids=["always_on"])
@pytest.mark.parametrize("trace", [None, UNRECORDED], ids=["none", "unrecorded"])
def test_no_message_begins_a_trace(sampled: InMemorySpanExporter, trace: TraceContext | None) -> None:
    with Handling("bookings").batch(1) as batch:
        assert batch.taken(trace, ("book-hotel", 0, 1)) == trace
    with transacting(1, [trace]), sending([]):
        assert created("book-hotel", trace) == (trace, None)
    assert sampled.get_finished_spans() == ()


@pytest.mark.parametrize("sampled", [("always_off", "")], indirect=True, ids=["always_off"])
def test_a_message_of_a_recorded_trace_is_recorded_nowhere_behind_a_sampler_that_says_no(
    sampled: InMemorySpanExporter,
) -> None:
    with Handling("bookings").batch(1) as batch:
        assert batch.taken(RECORDED, ("book-hotel", 0, 1)) == UNRECORDED
    assert sampled.get_finished_spans() == ()


async def test_a_new_trace_that_is_not_recorded_leaves_nothing_behind(kept: InMemorySpanExporter) -> None:
    assert calls.begin(METHOD, None) == (None, None)
    assert calls.here() is None
    assert created("book-hotel", None) == (None, None)
    assert kept.get_finished_spans() == ()
