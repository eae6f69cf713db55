"""A watch of sagas without a server: what stands in for its call, and the listener that a service runs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from orchestrator_svc.api import OrchestratorService
from sagakit.postgres.notifications import NotificationListener


class Headers:
    """The context of a call that no server makes; it knows when the call's headers are sent."""

    def __init__(self) -> None:
        self.sent = asyncio.Event()

    async def send_initial_metadata(self, _: object) -> None:
        self.sent.set()


@asynccontextmanager
async def listening(listener: NotificationListener) -> AsyncIterator[None]:
    """Run ``listener`` meanwhile, as a service does."""
    running = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def watch(
    service: OrchestratorService, context: Headers, request: pb.WatchSagasRequest | None = None
) -> "AsyncGenerator[pb.WatchSagasResponse]":
    """Begin to watch the sagas of ``request``, all where it is None."""
    found = service.WatchSagas(request or pb.WatchSagasRequest(), cast("Any", context))
    return cast("AsyncGenerator[pb.WatchSagasResponse]", found)
