"""The tables ``sagas`` and ``saga_events``, which a service that runs sagas has in its database."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sagakit.errors import Unavailable
from sagakit.kafka.consumed import Partition
from sagakit.offsets import stored_offsets
from sagakit.orchestrator.database_clock import DatabaseClock
from sagakit.orchestrator.rows import COLUMNS, EVENT_COLUMNS, LAST_TIME, SagaRows, bounded, event
from sagakit.postgres.database import array, columns, where
from sagakit.postgres.notifications import notify
from sagakit.postgres.pipeline import Deferred, Row, Rows, Transaction
from sagakit.records import Record
from sagakit.runtime.set_aside import Claim
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, Instance

_ANY_VERSION = 2**63 - 1
_NEVER = LAST_TIME.isoformat()
CHANNEL = "sagas"
"""What is notified when sagas have changed, with their ids."""

_NOW = "SELECT now()"
_LOAD = f"SELECT {COLUMNS} FROM sagas WHERE saga_id = ANY(%(ids)s::bigint[]) ORDER BY saga_id FOR UPDATE"  # noqa: S608 - a constant
_ANY_DUE = """
    SELECT EXISTS (SELECT FROM sagas WHERE deadline <= now() AND saga_id <> ALL(%(aside)s::bigint[]))
        OR EXISTS (SELECT FROM sagas WHERE deadline > %(never)s::timestamptz AND saga_id <> ALL(%(aside)s::bigint[]))
"""
# The timers wait with what is merely overdue while replies may lie unread; what an operator asked for goes out at once.
# It tells ids alone: a row that cannot be read must have one, or nobody could leave it out.
_CLAIM = """
    SELECT saga_id FROM sagas
    WHERE deadline <= now() AND (%(all_due)s OR attempt = 0 OR step IS NULL)
      AND saga_id <> ALL(%(aside)s::bigint[])
    ORDER BY deadline LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
# A deadline that never comes would leave its saga waiting unseen for ever. By itself, so that both are found by index.
_CLAIM_NEVER_DUE = """
    SELECT saga_id FROM sagas
    WHERE deadline > %(never)s::timestamptz AND %(all_due)s AND saga_id <> ALL(%(aside)s::bigint[])
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_GET = f"SELECT {COLUMNS} FROM sagas WHERE saga_id = ANY(%(ids)s::bigint[])"  # noqa: S608 - a constant
_EVENTS = """
    INSERT INTO saga_events (create_time, saga_id, version, type, step, reason, message_id)
    SELECT stored.update_time, event.* FROM unnest(%(event_saga_id)s::bigint[], %(event_version)s::bigint[],
        %(event_type)s::text[], %(event_step)s::text[], %(event_reason)s::text[], %(event_message_id)s::text[])
        AS event (saga_id, version, type, step, reason, message_id)
    JOIN stored USING (saga_id)
"""
_STORED = "SELECT saga_id, now() AS now FROM stored"
_INSERT = f"""
    WITH stored AS (
        INSERT INTO sagas (saga_id, start, status, step, reason, attempt, waiting_since, deadline, stuck, last_error,
                           version, create_time, update_time)
        SELECT * FROM unnest(%(saga_id)s::bigint[], %(start)s::jsonb[], %(status)s::text[],
            %(step)s::text[], %(reason)s::text[], %(attempt)s::integer[],
            %(waiting_since)s::timestamptz[], %(deadline)s::timestamptz[], %(stuck)s::boolean[],
            %(last_error)s::text[], %(version)s::bigint[]),
            (SELECT %(now)s::timestamptz AS create_time, %(now)s::timestamptz AS update_time) AS times
        ON CONFLICT (saga_id) DO NOTHING RETURNING saga_id, update_time
    ), told AS ({_EVENTS})
    {_STORED}
"""  # noqa: S608 - constants
# The version alone would tell, were it not for databases that are restored to an earlier time. `Instance.moment` has
# said the same about the time, so what is remembered of a saga is what is stored.
_UPDATE = f"""
    WITH stored AS (
        UPDATE sagas SET status = new.status, step = new.step, reason = new.reason, attempt = new.attempt,
            waiting_since = new.waiting_since, deadline = new.deadline, stuck = new.stuck, last_error = new.last_error,
            version = new.version, update_time = greatest(sagas.update_time, %(now)s)
        FROM unnest(%(saga_id)s::bigint[], %(status)s::text[], %(step)s::text[], %(reason)s::text[],
            %(attempt)s::integer[], %(waiting_since)s::timestamptz[], %(deadline)s::timestamptz[],
            %(stuck)s::boolean[], %(last_error)s::text[], %(version)s::bigint[],
            %(loaded_version)s::bigint[], %(loaded_time)s::timestamptz[])
            AS new (saga_id, status, step, reason, attempt, waiting_since, deadline, stuck, last_error, version,
                    loaded_version, loaded_time)
        WHERE sagas.saga_id = new.saga_id
            AND (sagas.version, {bounded("sagas.update_time")}) = (new.loaded_version, new.loaded_time)
        RETURNING sagas.saga_id, sagas.update_time
    ), told AS ({_EVENTS})
    {_STORED}
"""  # noqa: S608 - constants
# Whoever is flagged as before is only put off. A line of the history that is there already is not ours to judge.
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
    ), told AS (
        INSERT INTO saga_events (create_time, saga_id, version, type, step, reason, message_id)
        SELECT update_time, saga_id, version, 'STUCK', step, fault, '' FROM stored WHERE NOT flagged_before
        ON CONFLICT DO NOTHING
    )
    SELECT saga_id FROM stored WHERE NOT flagged_before
"""
_HISTORY = f"""
    SELECT {EVENT_COLUMNS} FROM saga_events
    WHERE saga_id = %(id)s AND version < %(before)s ORDER BY version DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant
_EVENT_COLUMNS = ("saga_id", "version", "type", "step", "reason", "message_id")
_CHANGING = (
    "saga_id", "status", "step", "reason", "attempt", "waiting_since", "deadline", "stuck", "last_error", "version",
)  # fmt: skip


class SagaStore:
    """Sagas of one kind in the service's database."""

    def __init__(self, start: type[Record]) -> None:
        """Make a store of sagas that begin with ``start``, which is kept as JSON."""
        self._rows = SagaRows(start)
        self._clock = DatabaseClock()

    @staticmethod
    def now(tx: Transaction) -> datetime:
        """Return the database's time, at which the transaction began: the one clock of all replicas."""
        now: datetime = _value(tx.execute(_NOW))
        return now

    def recent_now(self, tx: Transaction) -> datetime | None:  # noqa: ARG002 - where the database is in memory it tells
        """Return what `now` would about be, without asking; None where that is not known closely enough."""
        return self._clock.now()

    def load(self, tx: Transaction, ids: Collection[int]) -> tuple[dict[int, Instance], datetime]:
        """Lock the sagas ``ids``, in key order; return those that exist, and what `now` does, in one round trip."""
        asked = time.monotonic()
        rows, now = tx.execute(_LOAD, {"ids": array(ids)}), tx.execute(_NOW)
        loaded = {row.saga_id: self._rows.saga(row) for row in rows}
        self._clock.told(_value(now), asked)
        return loaded, _value(now)

    def save(
        self, tx: Transaction, changed: Sequence[Instance], loaded: Mapping[int, Instance], events: Sequence[Event]
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
        stored = {row.saga_id for rows in self._write(tx, changed, loaded, events) for row in rows}
        if len(stored) < len(changed):
            raise Unavailable("a saga was changed by another replica meanwhile")

    def save_if(
        self, tx: Transaction, changed: Sequence[Instance], known: Mapping[int, Instance], events: Sequence[Event]
    ) -> Deferred[set[int]]:
        """Store, as `save` does, those sagas that are as ``known`` says, new ones where it is silent.

        The ids of those that are stored come with the commit.
        """
        began = time.monotonic()
        written = self._write(tx, changed, known, events)

        def stored() -> set[int]:
            rows = [row for rows in written for row in rows]
            if rows:
                self._clock.told(rows[0].now, began)
            return {row.saga_id for row in rows}

        return stored

    def _write(
        self, tx: Transaction, changed: Sequence[Instance], known: Mapping[int, Instance], events: Sequence[Event]
    ) -> list[Rows]:
        if not changed:
            return []
        now = min(one.update_time for one in changed)  # some may have changed last at a later time, and then keep that
        notify(tx, CHANNEL, (instance.saga_id for instance in changed))
        told: dict[str, object] = {f"event_{name}": values for name, values in columns(events, _EVENT_COLUMNS).items()}
        told["now"] = now
        new = [instance for instance in changed if instance.saga_id not in known]
        old = [instance for instance in changed if instance.saga_id in known]
        written = []
        if new:
            start = array([self._rows.start(instance) for instance in new])
            written.append(tx.execute(_INSERT, {**columns(new, _CHANGING), **told, "start": start}))
        if old:
            before = [known[instance.saga_id] for instance in old]
            versions, times = array([one.version for one in before]), array([one.update_time for one in before])
            as_known = {"loaded_version": versions, "loaded_time": times}
            written.append(tx.execute(_UPDATE, {**columns(old, _CHANGING), **told, **as_known}))
        return written

    @staticmethod
    def offsets(tx: Transaction) -> dict[Partition, int]:
        """Return how far this database knows the topics."""
        return stored_offsets.read(tx)

    @staticmethod
    def any_due(tx: Transaction, aside: Sequence[int] = ()) -> bool:
        """Say whether the deadline of any saga has passed that is not set ``aside``."""
        return bool(_value(tx.execute(_ANY_DUE, {"aside": array(aside), "never": _NEVER})))

    def claim_due(self, tx: Transaction, claim: Claim, *, all_due: bool) -> dict[int, Instance]:
        """Lock and return sagas whose deadline has passed, as many as ``claim`` says, and note their ids in it.

        Those that another replica has in hand are left out, and without ``all_due`` all that no operator asked for.
        """
        asked = {"limit": claim.limit, "all_due": all_due, "aside": array(claim.aside), "never": _NEVER}
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
        fits = where({"saga_id < %(before)s::bigint": before} | _conditions(wanted))
        query = f"SELECT {COLUMNS} FROM sagas {fits} ORDER BY saga_id DESC LIMIT %(limit)s"  # noqa: S608 - constants
        found = tx.execute(query, {**_parameters(wanted), "before": before, "limit": limit})
        return [self._rows.saga(row) for row in found]

    def pick(self, tx: Transaction, wanted: Filter, *, limit: int) -> dict[int, Instance]:
        """Lock up to ``limit`` sagas that pass ``wanted``, the lowest ids first, in key order, and return them."""
        fits = where(_conditions(wanted))
        query = f"SELECT {COLUMNS} FROM sagas {fits} ORDER BY saga_id LIMIT %(limit)s FOR UPDATE"  # noqa: S608 - constants
        rows = tx.execute(query, {**_parameters(wanted), "limit": limit})
        return {row.saga_id: self._rows.saga(row) for row in rows}

    @staticmethod
    def flag(tx: Transaction, faults: Mapping[int, str]) -> Rows:
        """Note on sagas why nothing can be made of them, by id, and wake who watches; they are due in ten minutes.

        Returns the ids of those of which that was not noted before; best read after the commit.
        """
        notify(tx, CHANNEL, faults)
        return tx.execute(_FLAG, {"saga_id": array(faults), "fault": array(faults.values()), "never": _NEVER})


def _conditions(wanted: Filter) -> dict[str, object]:
    # Said outright, because the index by deadline, which holds only sagas under way, finds a few among millions.
    under_way = wanted.under_way or wanted.step is not None
    return {
        f"status = '{wanted.status}'": wanted.status,  # said outright as well: those that failed have an index, too
        "step = %(step)s::text": wanted.step,
        "stuck": wanted.stuck or None,  # as it has an index of its own
        "NOT stuck": None if wanted.stuck is None else not wanted.stuck or None,
        "create_time <= now() - %(min_age)s::interval": wanted.min_age,
        "saga_id = ANY(%(ids)s::bigint[])": wanted.ids,
        "deadline IS NOT NULL AND status NOT IN ('COMPLETED', 'COMPENSATED')": under_way or None,
    }


def _parameters(wanted: Filter) -> dict[str, Any]:
    return {**asdict(wanted), "ids": None if wanted.ids is None else array(wanted.ids)}


def _value(rows: Rows) -> Row:
    return rows.fetchall()[0][0]
