"""Operators who have sagas retried and cancelled, one by one and in bulk, whether or not there is a need."""

from collections.abc import Sequence
from random import Random
from typing import Any

from ordersaga.orchestrator.v1 import orchestrator_pb2

from tests.chaos.evidence import Outcome, SagaCall
from tests.chaos.load_lines import Lines, outcome
from tests.chaos.load_views import saga_view

_ACTIONS = ("RetrySaga", "CancelSaga", "RetrySagas", "CancelSagas")
_MOST_AT_ONCE = 4
_NEWEST = 10
_WHO = {"actor": "chaos", "reason": "to see what comes of it"}


class Operators:
    """Acts on sagas of the newest orders."""

    def __init__(self, lines: Lines, seed: int) -> None:
        """Call by ``lines``; what is done is chosen by ``seed``."""
        self._lines, self._recorder = lines, lines.recorder
        self._random = Random(f"operators-{seed}")
        self._next: list[str] = []

    def act(self) -> None:
        """Do one thing; each comes before any comes again."""
        known = [order_id for order_id, _ in self._lines.known()[-_NEWEST:]]
        if not known:
            return
        self._next = self._next or self._random.sample(_ACTIONS, len(_ACTIONS))
        name = self._next.pop()
        if name in {"RetrySaga", "CancelSaga"}:
            self._one(name, self._random.choice(known))
        else:
            self._many(name, self._random.sample(known, min(len(known), self._random.randint(1, _MOST_AT_ONCE))))

    def _one(self, name: str, order_id: int) -> None:
        request = getattr(orchestrator_pb2, f"{name}Request")(order_id=order_id, **_WHO)
        began = self._recorder.now()
        code, answer = self._lines.call(name, getattr(self._lines.sagas, name), request)
        ended = self._recorder.now()
        self._recorder.note(SagaCall(name, order_id, outcome(code), code, began, ended))
        if answer is not None:
            self._recorder.see(saga_view(answer.saga, name, began, ended))

    def _many(self, name: str, order_ids: Sequence[int]) -> None:
        wanted = orchestrator_pb2.SagaFilter(order_ids=order_ids)
        request = getattr(orchestrator_pb2, f"{name}Request")(filter=wanted, **_WHO)
        began = self._recorder.now()
        code, answer = self._lines.call(name, getattr(self._lines.sagas, name), request)
        ended = self._recorder.now()
        results: dict[int, Any] = {result.order_id: result for result in answer.results} if answer is not None else {}
        for order_id in order_ids:
            answered = self._code_of(results.get(order_id)) if answer is not None else code
            done = outcome(answered) if answered in {"OK", code} else Outcome.REFUSED
            self._recorder.note(SagaCall(name.removesuffix("s"), order_id, done, answered, began, ended))
            if order_id in results and results[order_id].HasField("saga"):
                self._recorder.see(saga_view(results[order_id].saga, name, began, ended))

    def _code_of(self, result: orchestrator_pb2.SagaResult | None) -> str:
        """Return what became of one saga; who is not among the results has none."""
        return (result.error_reason or "OK") if result is not None else "NOT_FOUND"
