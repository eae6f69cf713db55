"""Trace context: continued where it is well formed, begun anew where it is not."""

import re

import pytest

from sagakit.trace_context import child_of, new_traceparent

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FORM = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def test_a_child_keeps_the_trace_and_has_a_span_of_its_own() -> None:
    child = child_of(GIVEN).split("-")
    assert FORM.fullmatch("-".join(child))
    assert (child[1], child[3]) == (GIVEN.split("-")[1], "01")
    assert child[2] != GIVEN.split("-")[2]


@pytest.mark.parametrize("given", [None, "", "rubbish", GIVEN.upper(), GIVEN + "-x", "01" + GIVEN[2:]])
def test_what_is_malformed_begins_a_trace(given: str | None) -> None:
    assert FORM.fullmatch(child_of(given))
    assert GIVEN.split("-")[1] not in child_of(given)


def test_two_traces_differ() -> None:
    assert new_traceparent() != new_traceparent()
