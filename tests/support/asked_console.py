"""A console in this process, asked by HTTP: whom it asks itself answers as a test says, or is away."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from console_svc.app import application, console_of
from console_svc.console import Console
from console_svc.failures import CallFailed
from console_svc.kafka import KafkaView
from console_svc.settings import ConsoleSettings
from tests.support.served import free_address

OWN = {"origin": "http://127.0.0.1:8088", "sec-fetch-site": "same-origin"}
"""The headers by which a browser says that a request comes from a page of ours."""
Answer = Callable[[Any], object]
"""Returns what a call is answered with, or raises its failure."""


def console(**settings: str) -> Console:
    """Return a console that has nobody to ask."""
    nobody = {
        f"{name}_svc_{what}": str(free_address())
        for name in ("order", "product", "delivery", "orchestrator")
        for what in ("address", "metrics")
    }
    servers = {"kafka_bootstrap_servers": str(free_address()), "schema_registry_url": f"http://{free_address()}"}
    return console_of(ConsoleSettings.model_validate({**servers, **nobody, **settings}))


@asynccontextmanager
async def asking(
    answers: Mapping[str, Answer] | None = None, kafka: KafkaView | None = None, **settings: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield who asks a console whose calls of these names are answered so, and no others; Kafka is as it is given."""
    asked = console(**settings)
    if kafka is not None or answers:

        async def look() -> KafkaView:
            return kafka or KafkaView()

        asked.sources.kafka.look = look  # type: ignore[method-assign] # in place of Kafka
    for service in asked.sources.services.all:
        service.ask = _answering(answers or {}, service.ask)  # type: ignore[method-assign] # in place of the network
    async with browser(asked) as client:
        yield client


@asynccontextmanager
async def browser(asked: Console) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield who asks a console, which ends with that."""
    transport = httpx2.ASGITransport(application(asked), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8088") as client:
        yield client
    await asked.hubs.close()
    await asked.sources.close()


def _answering(answers: Mapping[str, Answer], otherwise: Any) -> Any:
    async def ask(method: Any, request: object, token: str, *, acts: bool = False) -> object:
        answer = answers.get(method._method.decode().rpartition("/")[2])  # noqa: SLF001 - it has no public name
        return await otherwise(method, request, token, acts=acts) if answer is None else answer(request)

    return ask


def failing(error: CallFailed) -> Answer:
    """Return an answer that is a failure."""

    def fail(_: object) -> object:
        raise error

    return fail


async def form(client: httpx2.AsyncClient, path: str, **fields: str) -> dict[str, str]:
    """Return ``fields`` with the token that a form of the page at ``path`` carries."""
    page = (await client.get(path)).text
    return {**fields, "csrf": page.partition('name="csrf" value="')[2].partition('"')[0]}
