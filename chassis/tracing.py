"""W3C trace context (https://www.w3.org/TR/trace-context/): carried from message to message, not yet exported."""

import random
import re

_FORM = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


def new_traceparent() -> str:
    """Begin a trace."""
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"


def child_of(traceparent: str | None) -> str:
    """Go on in the trace of ``traceparent`` with a span of its own; begin one where it is absent or malformed."""
    match = _FORM.fullmatch(traceparent or "")
    return f"00-{match[1]}-{random.getrandbits(64):016x}-{match[2]}" if match else new_traceparent()
