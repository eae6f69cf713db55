"""The tables ``sagas`` and ``saga_events``, which a service that runs sagas has in its database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, DateTime, Update, bindparam, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import Insert, insert

from sagakit.errors import Unavailable
from sagakit.kafka.consumed import Partition
from sagakit.offsets import stored_offsets
from sagakit.orchestrator.rows import EVENT, LAST_TIME, SAGA, SagaRows, bounded, event
from sagakit.orchestrator.tables import saga_events, sagas
from sagakit.postgres.notifications import notify
from sagakit.postgres.pipeline import Deferred, Row, Rows, Transaction
from sagakit.postgres.sql import array, columns, lock_those, select_those, text_of, unnest, where
from sagakit.records import Record
from sagakit.runtime.set_aside import Claim
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, Instance, Status

_ANY_VERSION = 2**63 - 1
_NEVER = LAST_TIME.isoformat()
CHANNEL = "sagas"
"""What is notified when sagas have changed, with their ids."""

_NOW = "SELECT now()"
_ALL = text_of(select(*SAGA))
_GET = text_of(select_those(SAGA, sagas.c.saga_id))
_LOAD = text_of(lock_those(SAGA, sagas.c.saga_id))
_HISTORY = text_of(
    select(*EVENT)
    .where(saga_events.c.saga_id == bindparam("id"), saga_events.c.version < bindparam("before"))
    .order_by(saga_events.c.version.desc())
    .limit(bindparam("limit"))
)
_ANY_DUE = """
    SELECT EXISTS (SELECT FROM sagas WHERE deadline <= now() AND saga_id <> ALL(%(set_aside)s::bigint[]))
        OR EXISTS (SELECT FROM sagas
                   WHERE deadline > %(never)s::timestamptz AND saga_id <> ALL(%(set_aside)s::bigint[]))
"""
# Without `all_due` only what an operator asked for is claimed: the merely overdue wait while replies may lie unread.
# It selects ids alone, so that a row that cannot be read has one by which it can be set aside.
_CLAIM = """
    SELECT saga_id FROM sagas
    WHERE deadline <= now() AND (%(all_due)s OR attempt = 0 OR step IS NULL)
      AND saga_id <> ALL(%(set_aside)s::bigint[])
    ORDER BY deadline LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
# A deadline that never comes would leave its saga waiting for ever. It is a query by itself, as each goes by an index.
_CLAIM_NEVER_DUE = """
    SELECT saga_id FROM sagas
    WHERE deadline > %(never)s::timestamptz AND %(all_due)s AND saga_id <> ALL(%(set_aside)s::bigint[])
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_STORED = [one for one in sagas.c if one.name not in {"start", "traceparent", "create_time", "update_time"}]
"""What is stored of a saga each time. Its start and trace are stored once, and its times are the transaction's."""
_CHANGING = [one.name for one in _STORED]
_HAPPENED = [one for one in saga_events.c if one.name != "create_time"]
_EVENT_COLUMNS = [one.name for one in _HAPPENED]
_EVENT_PREFIX = "event_"
_at = bindparam("now", type_=DateTime(timezone=True))


def _with_events(saved: Insert | Update) -> str:
    """Return the statement that does ``saved``, adds the events of the sagas that it stores, and selects their ids."""
    stored = saved.returning(sagas.c.saga_id, sagas.c.update_time).cte("stored")
    event = unnest("event", _HAPPENED, _EVENT_PREFIX)
    history = insert(saga_events).from_select(
        [*_EVENT_COLUMNS, "create_time"],
        select(*event.c, stored.c.update_time).join(stored, stored.c.saga_id == event.c.saga_id),
    )
    return text_of(select(stored.c.saga_id, func.now().label("now")).add_cte(history.cte("history")))


_new = unnest("new_saga", [*_STORED, sagas.c.start, sagas.c.traceparent])
_INSERT = _with_events(
    insert(sagas)
    .from_select(
        [*_new.c.keys(), "create_time", "update_time"],
        select(*_new.c, _at.label("create_time"), _at.label("update_time")),
    )
    .on_conflict_do_nothing(index_elements=["saga_id"])
)
# The version alone would do, if no database were ever restored to an earlier time. The new time is what
# `Instance.moment` says too, so what is remembered of a saga is what is stored.
_changed = unnest("changed", [*_STORED, Column("loaded_version", BigInteger), Column("loaded_time", _at.type)])
_AS_LOADED = tuple_(sagas.c.version, bounded(sagas.c.update_time)) == tuple_(
    _changed.c.loaded_version, _changed.c.loaded_time
)
_UPDATE = _with_events(
    update(sagas)
    .values({name: _changed.c[name] for name in _CHANGING if name != "saga_id"})
    .values(update_time=func.greatest(sagas.c.update_time, _at))
    .where(sagas.c.saga_id == _changed.c.saga_id)
    .where(_AS_LOADED)
)
# Sorting by id and then by time, the server would go by the primary key, and read each row that is too young.
_BY_AGE = "SET LOCAL enable_incremental_sort = off"
_UNDER_WAY = "deadline IS NOT NULL AND status NOT IN ('COMPLETED', 'COMPENSATED')"
_RETRYING = "attempt > 1 AND NOT stuck AND step IS NOT NULL"
_PLACE = f"SELECT status, step, stuck, {_RETRYING} AS retrying FROM sagas"  # noqa: S608 - the condition is ours
# A saga that is flagged already, for the same reason, only gets a later deadline. Its history is left as it is.
_FLAG = """
    WITH stored AS (
        UPDATE sagas SET stuck = true, last_error = bad.fault, version = sagas.version + 1,
            update_time = greatest(sagas.update_time, now()),
            deadline = CASE WHEN before.due THEN now() + interval '10 minutes' ELSE sagas.deadline END
        FROM unnest(%(saga_id)s::bigint[], %(fault)s::text[]) AS bad (saga_id, fault) JOIN (
            SELECT saga_id, stuck, last_error, deadline <= now() OR deadline > %(never)s::timestamptz AS due FROM sagas
        ) AS before USING (saga_id)
        WHERE sagas.saga_id = bad.saga_id
            AND (before.due OR NOT sagas.stuck OR sagas.last_error IS DISTINCT FROM bad.fault)
        RETURNING sagas.saga_id, sagas.version, sagas.step, sagas.update_time, bad.fault,
            before.stuck AND before.last_error IS NOT DISTINCT FROM bad.fault AS flagged_before
    ), history AS (
        INSERT INTO saga_events (create_time, saga_id, version, type, step, reason, message_id)
        SELECT update_time, saga_id, version, 'STUCK', step, fault, '' FROM stored WHERE NOT flagged_before
        ON CONFLICT DO NOTHING
    )
    SELECT saga_id FROM stored WHERE NOT flagged_before
"""


class Count(NamedTuple):
    """How many sagas stand at one place."""

    status: str
    step: str | None
    stuck: bool
    retrying: bool
    sagas: int


class SagaStore:
    """Sagas of one kind in the service's database."""

    def __init__(self, start: type[Record]) -> None:
        """Make a store of sagas that begin with ``start``, which is kept as JSON."""
        self._rows = SagaRows(start)

    @staticmethod
    def now(tx: Transaction) -> datetime:
        """Return the database's time, at which the transaction began: the one clock of all replicas."""
        now: datetime = _value(tx.execute(_NOW))
        return now

    def load(self, tx: Transaction, ids: Collection[int]) -> tuple[dict[int, Instance], datetime]:
        """Lock the sagas ``ids``, in key order; return those that exist, and what `now` does, in one round trip."""
        rows, now = tx.execute(_LOAD, {"ids": array(ids)}), tx.execute(_NOW)
        return {row.saga_id: self._rows.saga(row) for row in rows}, _value(now)

    def save(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        loaded: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> None:
        """Store what became of sagas, append ``events`` to their histories, and wake who watches.

        Args:
            tx: the transaction that loaded them.
            changed: the sagas as they are to be stored, all changed at one moment, or at the time of their last change
                where that is later; new ones are not in ``loaded``.
            loaded: the sagas as they were loaded.
            events: what happened to them, at that moment.

        Raises:
            Unavailable: another replica changed one meanwhile, or stored a new one. It will be found as it is when all
                is tried again.
        """
        stored = self.save_if(tx, changed, loaded, events)()
        if len(stored) < len(changed):
            raise Unavailable("a saga was changed by another replica meanwhile")

    def save_if(
        self,
        tx: Transaction,
        changed: Sequence[Instance],
        known: Mapping[int, Instance | None],
        events: Sequence[Event],
    ) -> Deferred[list[Row]]:
        """Store, as `save` does, only those sagas that are as ``known`` says; None, or nothing, is a new one.

        Rows come with the commit: the ``saga_id`` of each that is stored, and the time ``now``.
        """
        if not changed:
            return list
        now = min(one.update_time for one in changed)  # some may have changed last at a later time, and then keep that
        notify(tx, CHANNEL, (instance.saga_id for instance in changed))
        happened = columns(events, _EVENT_COLUMNS)
        shared: dict[str, object] = {_EVENT_PREFIX + name: values for name, values in happened.items()}
        shared["now"] = now
        new = [instance for instance in changed if not known.get(instance.saga_id)]
        old = [(instance, before) for instance in changed if (before := known.get(instance.saga_id))]
        inserted, updated = self._insert(tx, new, shared), self._update(tx, old, shared)
        return lambda: [*inserted, *updated]

    def _insert(self, tx: Transaction, new: Sequence[Instance], shared: Mapping[str, object]) -> Iterable[Row]:
        if not new:
            return []
        once = {"start": array([self._rows.start(instance) for instance in new]), **columns(new, ["traceparent"])}
        return tx.execute(_INSERT, {**columns(new, _CHANGING), **shared, **once})

    @staticmethod
    def _update(
        tx: Transaction, old: Sequence[tuple[Instance, Instance]], shared: Mapping[str, object]
    ) -> Iterable[Row]:
        """Update sagas, each a pair of what it is to be and what it is known as."""
        if not old:
            return []
        known = {
            "loaded_version": array([before.version for _, before in old]),
            "loaded_time": array([before.update_time for _, before in old]),
        }
        return tx.execute(_UPDATE, {**columns([instance for instance, _ in old], _CHANGING), **shared, **known})

    @staticmethod
    def offsets(tx: Transaction) -> dict[Partition, int]:
        """Return how far this database knows the topics."""
        return stored_offsets.read(tx)

    @staticmethod
    def any_due(tx: Transaction, set_aside: Sequence[int] = ()) -> bool:
        """Say whether the deadline of any saga has passed that is not in ``set_aside``."""
        return bool(_value(tx.execute(_ANY_DUE, {"set_aside": array(set_aside), "never": _NEVER})))

    def claim_due(self, tx: Transaction, claim: Claim, *, all_due: bool) -> dict[int, Instance]:
        """Lock and return sagas whose deadline has passed, as many as ``claim`` says, and note their ids in it.

        Those that another replica has in hand are left out, and without ``all_due`` all that no operator asked for.
        """
        asked = {"limit": claim.limit, "all_due": all_due, "set_aside": array(claim.set_aside), "never": _NEVER}
        due, never_due = tx.execute(_CLAIM, asked), tx.execute(_CLAIM_NEVER_DUE, asked)
        claim.ids = [row.saga_id for rows in (due, never_due) for row in rows][: claim.limit]
        return self.get(tx, claim.ids) if claim.ids else {}

    def get(self, tx: Transaction, ids: Collection[int]) -> dict[int, Instance]:
        """Return those of the sagas ``ids`` that exist."""
        return {row.saga_id: self._rows.saga(row) for row in tx.execute(_GET, {"ids": array(ids)})}

    @staticmethod
    def history(tx: Transaction, saga_id: int, *, limit: int, before: int | None = None) -> list[Event]:
        """Return the last ``limit`` things that happened to a saga, below version ``before``, the oldest first."""
        rows = tx.execute(_HISTORY, {"id": saga_id, "before": before or _ANY_VERSION, "limit": limit})
        return [event(row) for row in rows][::-1]

    def find(self, tx: Transaction, wanted: Filter, *, before: int | None, limit: int) -> list[Instance]:
        """Return up to ``limit`` sagas with ids below ``before`` that pass ``wanted``, by descending id."""
        if wanted.min_age is not None:
            tx.execute(_BY_AGE)
        return [self._rows.saga(row) for row in tx.execute(*finding(wanted, before, limit))]

    @staticmethod
    def count(tx: Transaction, wanted: Filter, most: int | None = None) -> list[Count]:
        """Count the sagas that pass ``wanted``, ``most`` of them at most, by where they stand.

        Each of them is read, a million in a second or two.
        """
        return [Count(*row) for row in tx.execute(*counting(wanted, most))]

    def pick(self, tx: Transaction, wanted: Filter, *, limit: int) -> dict[int, Instance]:
        """Lock up to ``limit`` sagas that pass ``wanted``, the lowest ids first, in key order, and return them."""
        fits = where(_conditions(wanted))
        query = f"{_ALL} {fits} ORDER BY saga_id LIMIT %(limit)s FOR NO KEY UPDATE"
        rows = tx.execute(query, {**_parameters(wanted), "limit": limit})
        return {row.saga_id: self._rows.saga(row) for row in rows}

    @staticmethod
    def flag(tx: Transaction, faults: Mapping[int, str]) -> Rows:
        """Note on sagas why nothing can be made of them, by id, and wake who watches; they are due in ten minutes.

        Returns the ids of those of which that was not noted before; best read after the commit.
        """
        notify(tx, CHANNEL, faults)
        return tx.execute(_FLAG, {"saga_id": array(faults), "fault": array(faults.values()), "never": _NEVER})


def finding(wanted: Filter, before: int | None, limit: int) -> tuple[str, dict[str, Any]]:
    """Return the statement that finds the sagas that pass ``wanted``, and its parameters."""
    fits = where({"saga_id < %(before)s::bigint": before} | _conditions(wanted))
    # An id is unique, so a time behind it changes nothing: it has the server go by the index that has both, where it
    # sees which sagas are old enough without reading the others. The time is the table's, not the bounded one selected.
    sorting = "saga_id DESC" if wanted.min_age is None else "saga_id DESC, sagas.create_time DESC"
    query = f"{_ALL} {fits} ORDER BY {sorting} LIMIT %(limit)s"
    return query, {**_parameters(wanted), "before": before, "limit": limit}


def counting(wanted: Filter, most: int | None) -> tuple[str, dict[str, Any]]:
    """Return the statement that counts the sagas that pass ``wanted``, ``most`` at most, and its parameters."""
    counted = f"({_PLACE} {where(_conditions(wanted))} LIMIT %(most)s::bigint) AS sagas"
    query = f"SELECT *, count(*) AS sagas FROM {counted} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"  # noqa: S608 - it is ours
    return query, {**_parameters(wanted), "most": most}


def _conditions(wanted: Filter) -> dict[str, object]:
    # Said outright, because the index by deadline, which holds only sagas under way, finds a few among millions.
    under_way = wanted.under_way or wanted.step is not None or wanted.status in {Status.RUNNING, Status.COMPENSATING}
    return {
        f"status = '{wanted.status}'": wanted.status,  # said outright as well: those that failed have an index, too
        "step = %(step)s::text": wanted.step,
        "stuck": wanted.stuck or None,  # as it has an index of its own
        "NOT stuck": None if wanted.stuck is None else not wanted.stuck or None,
        "create_time <= now() - %(min_age)s::interval": wanted.min_age,
        _RETRYING: wanted.retrying or None,  # as it has an index of its own
        f"NOT ({_RETRYING})": None if wanted.retrying is None else not wanted.retrying or None,
        "reason = %(reason)s::text": wanted.reason,
        "saga_id = ANY(%(ids)s::bigint[])": wanted.ids,
        _UNDER_WAY: under_way or None,
    }


def _parameters(wanted: Filter) -> dict[str, Any]:
    return {**asdict(wanted), "ids": None if wanted.ids is None else array(wanted.ids)}


def _value(rows: Rows) -> Row:
    return rows.fetchall()[0][0]
