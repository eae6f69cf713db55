"""The store of sagas, done to tables in memory."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Deferred, Row, Transaction
from sagakit.runtime.set_aside import Claim
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, Instance
from sagakit.testing.world.database import of


class _Stored(NamedTuple):
    """A saga that was stored, as a row says it."""

    saga_id: int
    now: datetime


class MemorySagaStore(SagaStore):
    """`sagakit.orchestrator.store.SagaStore`, all but its queries for people."""

    @staticmethod
    def now(tx: Transaction) -> datetime:
        """Return the database's time."""
        return of(tx).now

    def load(self, tx: Transaction, ids: Collection[int]) -> tuple[dict[int, Instance], datetime]:
        """Return those of the sagas ``ids`` that exist, and the time."""
        return _those(of(tx).read("sagas"), ids), self.now(tx)

    def save_if(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        known: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> Deferred[list[Row]]:
        """Store those of ``changed`` that are as they were ``known``; their rows can be had later."""
        sagas, history = of(tx).write("sagas"), of(tx).write("events")
        stored = {one.saga_id for one in changed if _state(sagas.get(one.saga_id)) == _state(known.get(one.saga_id))}
        for instance in changed:
            if instance.saga_id in stored:
                sagas[instance.saga_id] = instance
        for event in events:
            if event.saga_id in stored:
                if (event.saga_id, event.version) in history:
                    msg = f"primary key of saga_events: {event}"
                    raise AssertionError(msg)
                history[event.saga_id, event.version] = event
        rows: list[Row] = [_Stored(saga_id, of(tx).now) for saga_id in stored]
        return lambda: rows

    @staticmethod
    def any_due(tx: Transaction, set_aside: Sequence[int] = ()) -> bool:
        """Say whether a saga's deadline has passed."""
        sagas, now = of(tx).read("sagas").values(), of(tx).now
        return any(one.deadline and one.deadline <= now and one.saga_id not in set_aside for one in sagas)

    def claim_due(self, tx: Transaction, claim: Claim, *, all_due: bool) -> dict[int, Instance]:
        """Return the sagas whose deadline has passed."""
        now = of(tx).now
        due = [
            one
            for one in of(tx).read("sagas").values()
            if one.deadline and one.deadline <= now and (all_due or one.attempt == 0 or one.ended)
        ]
        claim.ids = [one.saga_id for one in due if one.saga_id not in claim.set_aside][: claim.limit]
        return _those(of(tx).read("sagas"), claim.ids)

    def pick(self, tx: Transaction, wanted: Filter, *, limit: int) -> dict[int, Instance]:
        """Return up to ``limit`` sagas that pass ``wanted``."""
        now = of(tx).now
        found = [one for one in of(tx).read("sagas").values() if wanted.fits(one, now)]
        return {one.saga_id: one for one in found[:limit]}


def _state(instance: Instance | None) -> tuple[int, datetime] | None:
    return None if instance is None else (instance.version, instance.update_time)


def _those(rows: Mapping[int, Instance], ids: Collection[int]) -> dict[int, Instance]:
    return {one: rows[one] for one in sorted(ids) if one in rows}
