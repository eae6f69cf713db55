"""Waiting for a server that is still starting, as an init container or a deployment's job has to."""

import time
from collections.abc import Callable
from typing import TypeAlias

from structlog.typing import FilteringBoundLogger

from sagakit.runtime.logs import one_line

_PATIENCE_SECONDS = 300.0

_Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]


def wait_until_up(attempt: Callable[[], None], passing: _Errors, log: FilteringBoundLogger) -> None:
    """Call ``attempt`` each second until it raises no ``passing`` error, for up to five minutes; log each new reason.

    Raises:
        Exception: the last ``passing`` error, where the server did not come.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    told = ""
    while True:
        try:
            attempt()
        except passing as error:
            if time.monotonic() > give_up:
                raise
            reason = one_line(error)
            if reason != told:
                log.warning("waiting", reason=reason)
                told = reason
            time.sleep(1)
        else:
            return
