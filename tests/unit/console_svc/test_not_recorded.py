"""The console's looks ask not to be recorded: they would bury the orders' traces. What a person does may be."""

from collections.abc import Mapping, Sequence
from typing import Any

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from sagakit.trace_context import TRACEPARENT, trace_of
from tests.support.asked_console import OWN, browser, console, form

SAGA = pb.Saga(order_id=5, status=pb.SAGA_STATUS_RUNNING)
ANSWERS = {
    "GetSaga": pb.GetSagaResponse(saga=SAGA),
    "CountSagas": pb.CountSagasResponse(),
    "GetSagaDeclaration": steps_pb2.GetSagaDeclarationResponse(name="order"),
    "ListSagas": pb.ListSagasResponse(sagas=[SAGA]),
    "RetrySaga": pb.RetrySagaResponse(saga=SAGA),
    "RetrySagas": pb.RetrySagasResponse(results=[pb.SagaResult(order_id=5, saga=SAGA)]),
}


class _Orchestrator:
    """Answers, and keeps the metadata of each call."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def __getattr__(self, name: str) -> Any:
        async def answer(_: object, *, metadata: Sequence[tuple[str, str]], **_more: object) -> object:
            self.asked.append((name, dict(metadata)))
            return ANSWERS[name]

        return answer


async def test_looking_is_not_recorded_and_acting_is_as_the_services_choose() -> None:
    asked, orchestrator = console(), _Orchestrator()
    asked.sources.services.sagas.stub = orchestrator  # type: ignore[assignment] # in place of the network
    async with browser(asked) as visitor:
        for path in ("/", "/sagas", "/sagas?stuck=yes", "/sagas/5"):
            assert (await visitor.get(path)).status_code == 200
        looks = orchestrator.asked.copy()
        fields = await form(visitor, "/sagas/5", actor="ann", reason="why")
        await visitor.post("/sagas/5/retry", data=fields, headers=OWN)
        many = {**fields, "do": "retry", "orders": "5"}
        job = await visitor.post("/bulk", data=many, headers=OWN)
        while "1 of 1 done" not in (await visitor.get(job.headers["location"])).text:
            pass
    assert {name for name, _ in looks} == {"GetSaga", "CountSagas", "GetSagaDeclaration", "ListSagas"}
    traces = [trace_of([(TRACEPARENT, metadata.get(TRACEPARENT, ""))]) for _, metadata in looks]
    assert all(trace is not None and not trace.sampled for trace in traces)
    acts = [metadata for name, metadata in orchestrator.asked if name.startswith("Retry")]
    assert len(acts) == 2
    assert all(TRACEPARENT not in metadata for metadata in acts)
