"""A console that has started reaches everybody by itself, so that its first visitor waits for no connection."""

import asyncio
from typing import Any

from console_svc.app import application
from console_svc.kafka import KafkaView
from tests.support.asked_console import console


async def _start_and_end(app: Any, started: asyncio.Event, end: asyncio.Event) -> None:
    """Be the server that runs ``app``, for its life alone."""
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        message = next(messages)
        if message == "lifespan.shutdown":
            await end.wait()
        return {"type": message}

    async def send(message: dict[str, str]) -> None:
        assert message["type"].endswith(".complete"), message
        started.set()

    await app({"type": "lifespan", "state": {}}, receive, send)


async def test_everybody_is_reached_before_anybody_visits() -> None:
    asked, reached, started, end = console(), set[str](), asyncio.Event(), asyncio.Event()

    async def look() -> KafkaView:
        reached.add("kafka")
        return KafkaView()

    def health(name: str) -> Any:
        async def check() -> str:
            reached.add(name)
            return "away"

        return check

    asked.sources.kafka.look = look  # type: ignore[method-assign] # in place of the network
    for service in asked.sources.services.all:
        service.health = health(service.name)  # type: ignore[method-assign] # the same
    life = asyncio.create_task(_start_and_end(application(asked), started, end))
    await started.wait()
    await asyncio.sleep(0.1)
    assert reached == {"kafka", "order_svc", "product_svc", "delivery_svc", "orchestrator_svc"}
    end.set()
    await life
