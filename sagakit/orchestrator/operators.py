"""Operators' actions on stored sagas, one or many at once; each saga has a result of its own."""

from collections.abc import Callable, Sequence
from datetime import datetime

from prometheus_client import Counter

from sagakit.errors import Refused
from sagakit.orchestrator.faults import NOT_UNDERSTOOD, fault_of
from sagakit.orchestrator.measures import operated
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero
from sagakit.saga.declaration import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, Instance
from sagakit.saga.interventions import TOO_LATE, cancel, retry
from sagakit.saga.transition import Transition

log = logger("operators")

_ACTIONS = Counter("sagakit_saga_actions_total", "Operators' actions on sagas.", ["action", "outcome"])
begin_at_zero(_ACTIONS, ("retry", "cancel"), ("done", TOO_LATE, NOT_UNDERSTOOD))

Results = dict[int, Instance | Refused]
"""By saga id: the saga as it is now, or why the action was refused."""
_Action = Callable[[Saga, Instance, str, datetime], Transition | None]


class Operators:
    """Acts on the sagas of one declaration. The timers send the commands that an action makes due."""

    def __init__(self, saga: Saga, store: SagaStore, fitting: Callable[[Sequence[Instance]], int] = len) -> None:
        """Act on ``saga``'s instances in ``store``; one answer has room for ``fitting`` of the picked ones."""
        self._saga, self._store, self._fitting = saga, store, fitting

    def retry(self, tx: Transaction, wanted: Filter, note: str, *, limit: int) -> tuple[Results, bool]:
        """Have each saga that passes ``wanted`` send its pending or final command again.

        Returns each one's result, by ascending id and at most ``limit``, and whether there are more.
        """
        return self._act(tx, wanted, note, limit, retry)

    def cancel(self, tx: Transaction, wanted: Filter, note: str, *, limit: int) -> tuple[Results, bool]:
        """Have each saga that passes ``wanted`` undone; returns what `retry` does."""
        return self._act(tx, wanted, note, limit, cancel)

    def _act(self, tx: Transaction, wanted: Filter, note: str, limit: int, action: _Action) -> tuple[Results, bool]:
        found = self._store.pick(tx, wanted, limit=limit + 1)
        picked = dict(list(found.items())[:limit])
        picked = dict(list(picked.items())[: self._fitting(list(picked.values()))])
        now = self._store.now(tx)
        results: Results = {}
        changed: list[Instance] = []
        events: list[Event] = []
        for saga_id, instance in picked.items():
            try:
                _must_be_understood(self._saga, instance)
                transition = action(self._saga, instance, note, now)
            except Refused as error:
                results[saga_id] = error
                continue
            results[saga_id] = transition.saga if transition else instance
            if transition:
                changed.append(transition.saga)
                events += [transition.event] if transition.event else []
        self._store.save(tx, changed, picked, events)
        operated(events)
        _report(action.__name__, results, note)
        return results, len(found) > len(picked)


def _must_be_understood(saga: Saga, instance: Instance) -> None:
    if fault := fault_of(saga, instance):
        raise Refused(NOT_UNDERSTOOD, f"this version can make nothing of saga {instance.saga_id}: {fault}")


def _report(action: str, results: Results, note: str) -> None:
    for saga_id, result in results.items():
        outcome = result.reason if isinstance(result, Refused) else "done"
        _ACTIONS.labels(action, outcome).inc()
        log.info("operator's action", action=action, saga_id=saga_id, outcome=outcome, note=note)
