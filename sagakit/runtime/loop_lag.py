"""How late the event loop is: while it is, every call waits that much longer at each of its steps."""

import asyncio

from sagakit.runtime import metrics

_SECONDS = 0.5


async def watch_loop() -> None:
    """Measure until cancelled by how much a short sleep lasts too long."""
    now = asyncio.get_running_loop().time
    while True:
        until = now() + _SECONDS
        await asyncio.sleep(_SECONDS)
        metrics.LOOP_LAG.observe(max(0.0, now() - until))
