"""The tables ``sagas`` and ``saga_events``, which a service that runs sagas has in its database."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, text

from chassis.changes import notify
from chassis.errors import Unavailable
from chassis.messages import Record
from saga.find import Filter
from saga.instance import Event, EventType, Instance, Status

_COLUMNS = """saga_id, start, status, step, reason, attempt, waiting_since, deadline, stuck, last_error, version,
              create_time, update_time"""
CHANNEL = "sagas"
"""What is notified when sagas have changed, with their ids."""

_NOW = text("SELECT now()")
_LOAD = text(f"SELECT {_COLUMNS} FROM sagas WHERE saga_id = ANY(:ids) ORDER BY saga_id FOR UPDATE")  # noqa: S608 - a constant
_ANY_DUE = text("SELECT EXISTS (SELECT FROM sagas WHERE deadline <= now())")
# The timers wait with what is merely overdue while replies may lie unread; what an operator asked for goes out at once.
_CLAIM = text(f"""
    SELECT {_COLUMNS} FROM sagas
    WHERE deadline <= now() AND (:all_due OR attempt = 0 OR step IS NULL)
    ORDER BY deadline LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - a constant
_GET = text(f"SELECT {_COLUMNS} FROM sagas WHERE saga_id = ANY(:ids)")  # noqa: S608 - a constant
_FITS = """
      (CAST(:status AS text) IS NULL OR status = :status)
      AND (CAST(:step AS text) IS NULL OR step = :step)
      AND (CAST(:stuck AS boolean) IS NULL OR stuck = :stuck)
      AND (CAST(:min_age AS interval) IS NULL OR create_time <= now() - CAST(:min_age AS interval))
      AND (CAST(:ids AS bigint[]) IS NULL OR saga_id = ANY(:ids))
      AND (NOT :under_way OR (deadline IS NOT NULL AND status IN ('RUNNING', 'COMPENSATING')))
"""
_LIST = text(f"""
    SELECT {_COLUMNS} FROM sagas
    WHERE (CAST(:before AS bigint) IS NULL OR saga_id < :before) AND {_FITS}
    ORDER BY saga_id DESC LIMIT :limit
""")  # noqa: S608 - a constant
_PICK = text(f"""
    SELECT {_COLUMNS} FROM sagas WHERE {_FITS} ORDER BY saga_id LIMIT :limit FOR UPDATE
""")  # noqa: S608 - a constant
_INSERT = text("""
    INSERT INTO sagas (saga_id, start, status, step, reason, attempt, waiting_since, deadline, stuck, last_error,
                       version, create_time, update_time)
    SELECT * FROM unnest(CAST(:saga_id AS bigint[]), CAST(:start AS jsonb[]), CAST(:status AS text[]),
        CAST(:step AS text[]), CAST(:reason AS text[]), CAST(:attempt AS integer[]),
        CAST(:waiting_since AS timestamptz[]), CAST(:deadline AS timestamptz[]), CAST(:stuck AS boolean[]),
        CAST(:last_error AS text[]), CAST(:version AS bigint[]), CAST(:create_time AS timestamptz[]),
        CAST(:update_time AS timestamptz[]))
    ON CONFLICT (saga_id) DO NOTHING
""")
_UPDATE = text("""
    UPDATE sagas SET status = new.status, step = new.step, reason = new.reason, attempt = new.attempt,
        waiting_since = new.waiting_since, deadline = new.deadline, stuck = new.stuck, last_error = new.last_error,
        version = new.version, update_time = new.update_time
    FROM unnest(CAST(:saga_id AS bigint[]), CAST(:status AS text[]), CAST(:step AS text[]), CAST(:reason AS text[]),
        CAST(:attempt AS integer[]), CAST(:waiting_since AS timestamptz[]), CAST(:deadline AS timestamptz[]),
        CAST(:stuck AS boolean[]), CAST(:last_error AS text[]), CAST(:version AS bigint[]),
        CAST(:update_time AS timestamptz[]), CAST(:loaded_version AS bigint[]))
        AS new (saga_id, status, step, reason, attempt, waiting_since, deadline, stuck, last_error, version,
                update_time, loaded_version)
    WHERE sagas.saga_id = new.saga_id AND sagas.version = new.loaded_version
""")
_APPEND = text("""
    INSERT INTO saga_events (saga_id, version, create_time, type, step, reason, message_id)
    SELECT * FROM unnest(CAST(:saga_id AS bigint[]), CAST(:version AS bigint[]), CAST(:create_time AS timestamptz[]),
        CAST(:type AS text[]), CAST(:step AS text[]), CAST(:reason AS text[]), CAST(:message_id AS text[]))
""")
_HISTORY = text("""
    SELECT saga_id, version, create_time, type, step, reason, message_id FROM saga_events
    WHERE saga_id = :id ORDER BY version
""")
_EVENT_COLUMNS = ("saga_id", "version", "create_time", "type", "step", "reason", "message_id")
_CHANGING = (
    "saga_id", "status", "step", "reason", "attempt", "waiting_since", "deadline", "stuck", "last_error", "version",
    "update_time",
)  # fmt: skip


class SagaStore:
    """Sagas of one kind in the service's database."""

    def __init__(self, start: type[Record]) -> None:
        """Make a store of sagas that begin with ``start``, which is kept as JSON."""
        self._start: TypeAdapter[Any] = TypeAdapter(start)

    @staticmethod
    def now(tx: Connection) -> datetime:
        """Return the database's time, at which the transaction began: the one clock of all replicas."""
        now: datetime = tx.execute(_NOW).scalar_one()
        return now

    def load(self, tx: Connection, ids: Collection[int]) -> dict[int, Instance]:
        """Lock the sagas ``ids``, in key order, and return those that exist."""
        rows = tx.execute(_LOAD, {"ids": list(ids)})
        return {row.saga_id: self._instance(row) for row in rows}

    def save(
        self, tx: Connection, changed: Sequence[Instance], loaded: dict[int, Instance], events: Sequence[Event]
    ) -> None:
        """Store what became of sagas, append ``events`` to their histories, and wake who watches.

        Args:
            tx: the transaction that loaded them.
            changed: the sagas as they are to be stored; new ones are those not in ``loaded``.
            loaded: the sagas as they were loaded.
            events: what happened to them.

        Raises:
            Unavailable: another replica changed one meanwhile; nothing may be committed.
        """
        if changed:
            notify(tx, CHANNEL, [instance.saga_id for instance in changed])
        new = [instance for instance in changed if instance.saga_id not in loaded]
        old = [instance for instance in changed if instance.saga_id in loaded]
        stored = 0
        if new:
            values = _columns(new, (*_CHANGING, "create_time"))
            values["start"] = [self._start.dump_json(instance.start).decode() for instance in new]
            stored += tx.execute(_INSERT, values).rowcount
        if old:
            values = _columns(old, _CHANGING)
            values["loaded_version"] = [loaded[instance.saga_id].version for instance in old]
            stored += tx.execute(_UPDATE, values).rowcount
        if stored != len(changed):
            msg = f"{len(changed) - stored} sagas were changed by another replica meanwhile"
            raise Unavailable(msg)
        if events:
            tx.execute(_APPEND, _columns(events, _EVENT_COLUMNS))

    @staticmethod
    def any_due(tx: Connection) -> bool:
        """Say whether the deadline of any saga has passed."""
        return bool(tx.execute(_ANY_DUE).scalar_one())

    def claim_due(self, tx: Connection, *, limit: int, all_due: bool) -> dict[int, Instance]:
        """Lock and return up to ``limit`` sagas whose deadline has passed, leaving out those that another replica has.

        Without ``all_due`` only those that an operator asked for.
        """
        rows = tx.execute(_CLAIM, {"limit": limit, "all_due": all_due})
        return {row.saga_id: self._instance(row) for row in rows}

    def get(self, tx: Connection, ids: Collection[int]) -> dict[int, Instance]:
        """Return those of the sagas ``ids`` that exist."""
        return {row.saga_id: self._instance(row) for row in tx.execute(_GET, {"ids": list(ids)})}

    @staticmethod
    def history(tx: Connection, saga_id: int) -> list[Event]:
        """Return what happened to a saga, the oldest first."""
        return [
            Event(r.saga_id, r.version, r.create_time, EventType(r.type), r.step, r.reason, r.message_id)
            for r in tx.execute(_HISTORY, {"id": saga_id})
        ]

    def find(self, tx: Connection, wanted: Filter, *, before: int | None, limit: int) -> list[Instance]:
        """Return up to ``limit`` sagas with ids below ``before`` that pass ``wanted``, by descending id."""
        found = tx.execute(_LIST, {**_parameters(wanted), "before": before, "limit": limit})
        return [self._instance(row) for row in found]

    def pick(self, tx: Connection, wanted: Filter, *, limit: int) -> dict[int, Instance]:
        """Lock up to ``limit`` sagas that pass ``wanted``, the lowest ids first, in key order, and return them."""
        rows = tx.execute(_PICK, {**_parameters(wanted), "limit": limit})
        return {row.saga_id: self._instance(row) for row in rows}

    def _instance(self, row: Row[Any]) -> Instance:
        values = row._asdict()
        values["start"] = self._start.validate_python(values["start"], strict=False)
        values["status"] = Status(values["status"])
        return Instance(**values)


def _parameters(wanted: Filter) -> dict[str, Any]:
    # Said outright, because the index by deadline, which holds only sagas under way, finds a few among millions.
    under_way = wanted.under_way or wanted.stuck is True or wanted.step is not None
    return {**asdict(wanted), "ids": None if wanted.ids is None else list(wanted.ids), "under_way": under_way}


def _columns(items: Sequence[object], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [getattr(item, name) for item in items] for name in names}
