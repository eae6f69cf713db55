"""Where the engine takes sagas from: from what this process remembers of them, else from the database."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from sagakit.messages import Message
from sagakit.orchestrator.database_clock import DatabaseClock
from sagakit.orchestrator.faults import faults_in, flag
from sagakit.orchestrator.remembered import Remembered
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Row, Transaction
from sagakit.records import Record
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Instance

Waiting: TypeAlias = Mapping[int, Sequence[Message[Record]]]
"""The messages of a batch that are not handled yet, by saga."""


class View(NamedTuple):
    """Sagas of a batch, as one place knows them."""

    sagas: Mapping[int, Instance | None]
    """By id; None stands for a saga that does not exist."""
    now: datetime
    """The database's time."""
    locked: bool
    """Whether they stay so until the transaction ends; otherwise somebody else may have changed them."""


class SagaSource:
    """The sagas of one engine, and what it remembers of them; for one thread alone."""

    def __init__(self, saga: Saga, store: SagaStore) -> None:
        """Read instances of ``saga`` from ``store``."""
        self._saga, self._store = saga, store
        self._remembered = Remembered()
        self._clock = DatabaseClock()

    def views(self, waiting: Waiting, tx: Transaction) -> Iterator[View]:
        """Yield the sagas that are remembered, and then those that are stored.

        The caller removes from ``waiting`` what it has handled of a view: the next one is of what is left.
        """
        now = self._clock.now()
        if now is not None:
            yield View(self._recall(waiting), now, locked=False)
        if waiting:
            yield self._read(waiting, tx)

    def learn(self, changed: Sequence[Instance], stored: Iterable[Row], asked: float) -> set[int]:
        """Remember those of ``changed`` that are ``stored``, forget the others, and return the ids of the former.

        The rows of ``stored`` were asked for at ``asked``, by `time.monotonic`.
        """
        rows = list(stored)
        if rows:
            self._clock.set(rows[0].now, asked)
        ids = {row.saga_id for row in rows}
        self._remembered.forget(saga.saga_id for saga in changed if saga.saga_id not in ids)
        self._remembered.keep(saga for saga in changed if saga.saga_id in ids)
        return ids

    def _recall(self, waiting: Waiting) -> dict[int, Instance | None]:
        """Return the sagas that are remembered, and take those that are to start for new ones."""
        known = self._remembered.recall(waiting.keys())
        return {
            saga_id: known.get(saga_id)
            for saga_id, messages in waiting.items()
            if saga_id in known or type(messages[0].record) is self._saga.start
        }

    def _read(self, waiting: Waiting, tx: Transaction) -> View:
        """Lock and read the sagas; flag those of which nothing can be made, and leave them out."""
        asked = time.monotonic()
        loaded, now = self._store.load(tx, waiting.keys())
        self._clock.set(now, asked)
        faults = faults_in(self._saga, loaded)
        if faults:
            flag(tx, self._store, faults)
        return View({one: loaded.get(one) for one in waiting if one not in faults}, now, locked=True)
