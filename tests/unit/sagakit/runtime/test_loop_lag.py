"""The event loop's lag: what keeps the loop busy is seen, though nobody waits for it at that moment."""

import asyncio
import time
from contextlib import suppress

from sagakit.runtime import loop_lag
from tests.support.series import Since


async def test_what_keeps_the_event_loop_busy_is_measured() -> None:
    since = Since()
    watching = asyncio.create_task(loop_lag.watch_loop())
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - as code does that should not
    async with asyncio.timeout(10):
        while not since("sagakit_event_loop_lag_seconds_count"):  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert since("sagakit_event_loop_lag_seconds_sum") >= 0.9
