"""Waiting for a server that is still starting, for init containers and deployment jobs."""

import time
from collections.abc import Callable
from typing import TypeAlias

from structlog.typing import FilteringBoundLogger

from sagakit.runtime.logs import one_line

_LONGEST_WAIT_SECONDS = 300.0

_Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]


def wait_until_up(attempt: Callable[[], None], passing: _Errors, log: FilteringBoundLogger) -> None:
    """Call ``attempt`` each second until it raises no ``passing`` error, for up to five minutes; log each new reason.

    Raises:
        Exception: the last ``passing`` error, where the server did not come up.
    """
    give_up = time.monotonic() + _LONGEST_WAIT_SECONDS
    logged = ""
    while True:
        try:
            attempt()
        except passing as error:
            if time.monotonic() > give_up:
                raise
            reason = one_line(error)
            if reason != logged:
                log.warning("waiting", reason=reason)
                logged = reason
            time.sleep(1)
        else:
            return
