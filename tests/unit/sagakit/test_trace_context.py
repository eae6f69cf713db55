"""Trace context: passed on where it is well formed, begun anew where it is not. The cases are the standard's."""

import logging

import pytest
from opentelemetry.trace import TraceState

from sagakit.trace_context import TraceContext, new_trace, trace_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


def read(traceparent: str, *states: str) -> TraceContext | None:
    return trace_of([("traceparent", traceparent), *(("tracestate", state) for state in states), ("other", "x")])


def test_it_is_passed_on_as_it_came() -> None:
    found = trace_of([("traceparent", GIVEN.encode()), ("tracestate", b"congo=t61rcWkgMzE,rojo=1")])
    assert found == TraceContext(TRACE, SPAN, True, "congo=t61rcWkgMzE,rojo=1")
    assert dict(found.headers) == {"traceparent": GIVEN.encode(), "tracestate": b"congo=t61rcWkgMzE,rojo=1"}


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_who_does_not_record_stays_unrecorded(flags: str, *, sampled: bool) -> None:
    found = read(f"00-{TRACE}-{SPAN}-{flags}")
    assert found is not None
    assert found.sampled is sampled
    assert dict(found.headers)["traceparent"].decode()[-2:] == ("01" if sampled else "00")


@pytest.mark.parametrize("later", ["01" + GIVEN[2:], f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"])
def test_a_later_version_is_read_as_far_as_this_one_knows_it(later: str) -> None:
    found = read(later)
    assert found == TraceContext(TRACE, SPAN, True)
    assert dict(found.headers) == {"traceparent": GIVEN.encode()}


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "rubbish",
        GIVEN.upper(),
        GIVEN + "-x",
        GIVEN + "\n",
        "ff" + GIVEN[2:],
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{TRACE}-{SPAN}-01.x",
    ],
    ids=["empty", "rubbish", "upper", "longer", "newline", "version-ff", "no-trace", "no-span", "later-without-hyphen"],
)
def test_what_is_malformed_is_none(malformed: str) -> None:
    assert read(malformed, "a=1") is None


def test_two_parents_are_none() -> None:
    assert trace_of([("traceparent", GIVEN), ("traceparent", GIVEN)]) is None


@pytest.mark.parametrize(
    ("states", "passed_on"),
    [
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1, b=2"], "a=1, b=2"),
        (["a=1,,b=2"], "a=1,,b=2"),
        (["a-_*/9=~ !<", "fw529a3039@dt=FfAbc,1a@b=2"], "a-_*/9=~ !<,fw529a3039@dt=FfAbc,1a@b=2"),
        ([f"{'k' * 256}={'v' * 255}"], f"{'k' * 256}={'v' * 255}"),
        ([f"a={'v' * 256}"], f"a={'v' * 256}"),
        ([",".join(f"k{number}=1" for number in range(32))], ",".join(f"k{number}=1" for number in range(32))),
        ([",".join(f"k{number}=1" for number in range(33))], ""),
        (["a=1", "b=2,a=3"], ""),
        (["a=1,secret"], ""),
        (["a=1,Secret=1"], ""),
        (["a=1,1a=1"], ""),
        (["a=1,a@@b=1"], ""),
        (["a=1,b=2=3"], ""),
        (["a=1,b="], ""),
        (["a=1,b=\u00e9"], ""),
        ([f"{'k' * 257}=1"], ""),
        ([f"a={'v' * 257}"], ""),
        ([f"{'k' * 242}@a=1"], ""),
        (["k@" + "a" * 15 + "=1"], ""),
        (["a=\x00"], ""),
        (["a=" + "x" * 511], ""),
        (["x" * 500 + " "], ""),  # a pattern with two ways to read each character would not come to an end
        ([" ", ","], ""),
        ([], ""),
    ],
    ids=[
        "two", "blank", "empty-member", "all-characters", "longest", "longest-value", "32", "33", "a-key-twice",
        "no-value", "upper-case-key", "key-begins-with-digit", "two-tenants", "equals-sign-in-value", "empty-value",
        "not-ascii", "key-too-long", "value-too-long", "tenant-too-long", "system-too-long", "nul", "too-long",
        "blank-at-the-end", "blanks-alone", "none",
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_passed_on_does_not_take_the_trace_with_it(
    caplog: pytest.LogCaptureFixture, states: list[str], passed_on: str
) -> None:
    found = read(GIVEN, *states)
    assert found == TraceContext(TRACE, SPAN, True, passed_on)
    assert ("tracestate" in dict(found.headers)) is bool(passed_on)
    with caplog.at_level(logging.DEBUG):
        assert bool(TraceState.from_header([found.state])) is bool(passed_on)
    assert caplog.records == []  # nothing that a caller sends gets into the log by way of OpenTelemetry


def test_a_new_trace_is_one_that_nobody_records() -> None:
    one, other = new_trace(), new_trace()
    assert one.trace_id != other.trace_id
    assert not one.sampled
    assert trace_of(one.headers) == one
