"""Reading what the kit writes into its log, with what is added to each line."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from structlog.testing import capture_logs

from sagakit.runtime import logs


@contextmanager
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """Collect the lines that are written in the block."""
    with capture_logs(processors=[logs.say_about]) as written:
        yield written
