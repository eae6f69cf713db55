"""Who decides what is recorded: a caller who is let in, and neither one who is refused nor a probe."""

import asyncio
import math
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from sagakit.rpc.gate import ALWAYS_OPEN, Gate
from sagakit.rpc.guard import Calls
from sagakit.rpc.quotas import Quotas
from sagakit.rpc.server import RpcServer
from sagakit.service.settings import ServiceSettings
from sagakit.trace_context import new_trace
from tests.support.served import free_address
from tests.support.wait import eventually
from tests.unit.sagakit.rpc.test_observed import METHODS, REFUSALS, Closed, Server, counts, ended, made
from tests.unit.sagakit.tracing.conftest import Keep


def recorded() -> str:
    """Return a header by which a caller asks that its call is recorded."""
    return new_trace()._replace(sampled=True).traceparent


async def spans_of(kept: InMemorySpanExporter, count: int) -> list[str]:
    """Return the names of what is recorded, once there is so much."""

    def look() -> list[str]:
        names = [span.name for span in kept.get_finished_spans()]
        assert len(names) == count
        return names

    return await asyncio.to_thread(eventually, look)


async def all_counted(method: str, measured: float) -> None:
    def look() -> None:
        assert counts(method).measured == measured

    await asyncio.to_thread(eventually, look)


@pytest.mark.parametrize("method", METHODS)
async def test_a_caller_who_is_let_in_may_ask_that_its_call_is_recorded(
    kept: InMemorySpanExporter, method: str
) -> None:
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        assert await ended(made(channel, method, "answer", trace=recorded())) is grpc.StatusCode.OK
        assert await ended(made(channel, method, "refuse", trace=recorded())) is grpc.StatusCode.NOT_FOUND
        assert await spans_of(kept, 2) == [f"echo/{method}"] * 2
    first, other = kept.get_finished_spans()
    assert dict(first.attributes or {})["rpc.response.status_code"] == "OK"
    assert dict(other.attributes or {})["rpc.response.status_code"] == "NOT_FOUND"


LIMITS: list[tuple[Gate, Callable[[], Calls]]] = [
    *((Closed(refusal), Calls) for refusal, _ in REFUSALS),
    (ALWAYS_OPEN, lambda: Calls(most=0)),
    (ALWAYS_OPEN, lambda: Calls(quotas=Quotas(math.inf, 1, 0, most_calls=0))),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("gate", "calls"), LIMITS, ids=[*(code for _, code in REFUSALS), "all-calls", "own-calls"])
@pytest.mark.parametrize("trace", [recorded(), None], ids=["asked-for", "drawn"])
async def test_a_caller_who_is_refused_has_nothing_recorded(
    keep: Keep, method: str, gate: Gate, calls: Callable[[], Calls], trace: str | None
) -> None:
    kept, before = keep(ALWAYS_ON), counts(method)
    async with Server(gate, calls()) as server, grpc.aio.insecure_channel(server.address) as channel:
        assert await ended(made(channel, method, "", trace=trace)) is not grpc.StatusCode.OK
        await all_counted(method, before.measured + 1)
    assert kept.get_finished_spans() == ()


@pytest.mark.parametrize("method", METHODS[:2])
async def test_a_caller_who_calls_too_often_has_only_recorded_what_is_answered(
    kept: InMemorySpanExporter, method: str
) -> None:
    before = counts(method)
    calls = Calls(quotas=Quotas(0.001, 1, 10))
    async with Server(calls=calls) as server, grpc.aio.insecure_channel(server.address) as channel:
        codes = [await ended(made(channel, method, "answer", trace=recorded())) for _ in range(3)]
        assert codes == [grpc.StatusCode.OK, *[grpc.StatusCode.RESOURCE_EXHAUSTED] * 2]
        await all_counted(method, before.measured + 3)
    assert len(kept.get_finished_spans()) == 1


async def test_the_duration_of_a_refused_call_leads_to_no_trace() -> None:
    trace, before = uuid.uuid4().hex, counts("ObservedCall")
    async with Server(Closed(REFUSALS[0][0])) as server, grpc.aio.insecure_channel(server.address) as channel:
        await ended(made(channel, "ObservedCall", "answer", trace=f"00-{trace}-00f067aa0ba902b7-01"))
        await all_counted("ObservedCall", before.measured + 1)
    assert trace not in generate_latest(REGISTRY).decode()  # type: ignore[no-untyped-call]


async def test_probes_and_reflection_are_not_traced(keep: Keep) -> None:
    kept, listen = keep(ALWAYS_ON), free_address()
    server = RpcServer(ServiceSettings.model_construct(grpc_listen=listen), [])
    await server.start()
    try:
        async with grpc.aio.insecure_channel(str(listen)) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            reflection: Any = ServerReflectionStub(cast("Any", channel))
            for metadata in (None, (("traceparent", recorded()),)):
                await health.Check(HealthCheckRequest(), metadata=metadata)
                with suppress(grpc.aio.AioRpcError):
                    await anext(aiter(health.Watch(HealthCheckRequest(), metadata=metadata, timeout=1)))
                asked = iter([ServerReflectionRequest(list_services="*")])
                assert [one async for one in reflection.ServerReflectionInfo(asked, metadata=metadata)]
    finally:
        await server.stop(0)
    assert kept.get_finished_spans() == ()
