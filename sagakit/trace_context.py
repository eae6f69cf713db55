"""W3C trace context (https://www.w3.org/TR/trace-context/): passed from message to message, not yet exported."""

import random
import re

_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_SPAN = slice(36, 52)
"""The span's id within the text."""


def new_traceparent() -> str:
    """Return the ``traceparent`` of a new trace."""
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"


def child_of(traceparent: str | None) -> str:
    """Return a new span in the trace of ``traceparent``, or a new trace where that is absent or malformed."""
    if traceparent and _FORM.fullmatch(traceparent):
        return f"{traceparent[: _SPAN.start]}{random.getrandbits(64):016x}{traceparent[_SPAN.stop :]}"
    return new_traceparent()
