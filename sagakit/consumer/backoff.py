"""How long a consumer waits before it tries again what failed for a passing reason."""

import random

from sagakit.runtime import metrics
from sagakit.runtime.logs import logger, one_line

log = logger("consumer")

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 5.0


def backoff(error: Exception, failures: int) -> float:
    """Count and log that a batch is tried again because of ``error``; return in how many seconds."""
    longest: float = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(failures, 10))
    seconds = longest * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
    metrics.REWOUND.labels(type(error).__name__).inc()
    log.warning("batch rewound", error=one_line(error), again_in_seconds=round(seconds, 2), failures=failures)
    return seconds
