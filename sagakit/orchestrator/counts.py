"""How many sagas wait at each step, are asked again, or are stuck: gauges that agree with the lists of sagas.

They are counted in the database, so each replica shows the number of all of them.
"""

import time
from collections import Counter

from prometheus_client import Gauge

from sagakit.orchestrator.store import Count, SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.periodic import Periodic
from sagakit.saga.declaration import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Status

_PENDING = Gauge("sagakit_sagas_pending", "Sagas under way at the last count.", ["step", "status"])
_RETRYING = Gauge("sagakit_sagas_retrying", "Sagas whose command was sent again, not stuck yet.", ["step"])
_STUCK = Gauge("sagakit_sagas_stuck", "Sagas at which somebody has to look, at the last count.", ["step"])

_SECONDS = 5.0
_REST = 20
"""After a count so many times as long as it took goes by: a count reads every saga under way, and may cost a twentieth
of one session's time, however many there are."""
_UNDER_WAY = (Status.RUNNING, Status.COMPENSATING, Status.UNKNOWN)
_ENDED = "ended"
_UNKNOWN = "unknown"
"""A step that this version does not know: whoever wrote the row may have named it anything."""


class SagaCounts(Periodic):
    """Counts the sagas of one declaration, from a thread of its own."""

    def __init__(self, database: Database, saga: Saga, store: SagaStore) -> None:
        """Count the sagas of ``store`` in ``database`` every five seconds, more rarely where that takes long."""
        super().__init__("counts", self._pass, interval_seconds=_SECONDS)
        self._database, self._store = database, store
        self._steps = [step.name for step in saga.steps]
        self._next = 0.0

    def _pass(self) -> bool:
        began = time.monotonic()
        if began >= self._next:
            self.count_once()
            self._next = time.monotonic() + _REST * (time.monotonic() - began)
        return False

    def count_once(self) -> None:
        """Count now, and show it; where that fails, what was counted last stays.

        Raises:
            psycopg.OperationalError: the database is away.
        """
        under_way, stuck = self._database.transact(self._read)
        pending, retrying, held = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
        for count in under_way:
            step = self._step(count)
            pending[step, _status(count)] += count.sagas
            retrying[step] += count.sagas * count.retrying
        for count in stuck:
            held[self._step(count)] += count.sagas
        for step in (*self._steps, _UNKNOWN):
            _RETRYING.labels(step).set(retrying[step])
            for status in _UNDER_WAY:
                _PENDING.labels(step, status).set(pending[step, status])
        for step in (*self._steps, _UNKNOWN, _ENDED):
            _STUCK.labels(step).set(held[step])

    def _read(self, tx: Transaction) -> tuple[list[Count], list[Count]]:
        return self._store.count(tx, Filter(under_way=True)), self._store.count(tx, Filter(stuck=True))

    def _step(self, count: Count) -> str:
        if count.step is None:
            return _ENDED
        return count.step if count.step in self._steps else _UNKNOWN


def _status(count: Count) -> Status:
    return Status(count.status) if count.status in _UNDER_WAY else Status.UNKNOWN
