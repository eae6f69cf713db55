"""W3C trace context (https://www.w3.org/TR/trace-context/): passed on from calls to messages, and between messages."""

import random
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
# A version that is not known yet may have more behind a hyphen. Ids of zeros alone are none, and neither is version ff.
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01
_KEY = r"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=[ -+\--<>-~]{{0,255}}[!-+\--<>-~]")
_LONGEST_STATE = 512
"""In characters: what whoever passes a state on should manage."""
_MOST_MEMBERS = 32
_KEPT_STATES = 1000
"""States of which it is remembered whether they can be passed on: each comes with every message of its trace."""


class TraceContext(NamedTuple):
    """A place in a trace: beneath which span the next one comes."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    sampled: bool
    """Whether whoever began the trace records it."""
    state: str = ""
    """What tracing systems note for themselves, in the standard's form; passed on as it is."""

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """A message's headers that carry it on."""
        parent = (TRACEPARENT, self.traceparent.encode())
        return (parent, (TRACESTATE, self.state.encode())) if self.state else (parent,)

    @property
    def traceparent(self) -> str:
        """The value of the header of that name."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def new_trace() -> TraceContext:
    """Begin a trace that nobody records, for the lines of logs that belong together."""
    return TraceContext(f"{random.getrandbits(128) or 1:032x}", f"{random.getrandbits(64) or 1:016x}", sampled=False)


def stored(traceparent: str | None) -> TraceContext | None:
    """Return the place that was stored as its header ``traceparent``; None where none was."""
    return trace_of([(TRACEPARENT, traceparent)]) if traceparent else None


def to_store(trace: TraceContext | None) -> str | None:
    """Return what `stored` reads again: the header of ``trace``; None where nobody records it."""
    return trace.traceparent if trace and trace.sampled else None


def if_recorded(trace: TraceContext | None) -> TraceContext | None:
    """Return ``trace`` where somebody records it, else None."""
    return trace if trace and trace.sampled else None


def recorded(trace: TraceContext | None) -> str | None:
    """Return the id of a trace that somebody records; None where nobody does."""
    return trace.trace_id if trace and trace.sampled else None


def trace_of(pairs: Iterable[tuple[str, str | bytes | None]]) -> TraceContext | None:
    """Return the place in a trace that headers, or a call's metadata, name; None where they name none, or two.

    A ``tracestate`` that cannot be passed on is left out, as the standard asks, and the trace is not.
    """
    found: dict[str, list[str]] = {TRACEPARENT: [], TRACESTATE: []}
    for name, value in pairs:
        if value and name in found:
            found[name].append(value if isinstance(value, str) else value.decode(errors="replace"))
    if len(found[TRACEPARENT]) != 1:
        return None
    form = _FORM.fullmatch(found[TRACEPARENT][0])
    if form is None or (form[1] == "00" and form[5]):
        return None
    state = ",".join(found[TRACESTATE])
    passed_on = state if len(state) <= _LONGEST_STATE and _can_be_passed_on(state) else ""
    return TraceContext(form[2], form[3], bool(int(form[4], 16) & _SAMPLED), passed_on)


@lru_cache(_KEPT_STATES)
def _can_be_passed_on(state: str) -> bool:
    """Say whether ``state`` has up to 32 members, each well formed and with a key of its own; empty ones do not count.

    What reads it further on would write any other into its log, as OpenTelemetry does.
    """
    members = [stripped for member in state.split(",") if (stripped := member.strip(" \t"))]
    forms = [_MEMBER.fullmatch(member) for member in members]
    keys = {form[1] for form in forms if form}
    return 0 < len(members) <= _MOST_MEMBERS and len(keys) == len(members)
