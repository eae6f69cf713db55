"""What can be deliberately broken in a fault build, by name: each mutant breaks one promise, and the checker tells.

The services' own modules are imported by the functions alone, since a fault build is only one of them.
"""

from collections.abc import Callable, Sequence

from confluent_kafka import Message as KafkaMessage
from confluent_kafka import TopicPartition
from sqlalchemy import Connection, TextClause, text

import chassis.consumer
from chassis import outbox
from chassis.dead_letters import source


def _forgetful_stock() -> None:
    """product_svc takes stock for an order as often as it is told to."""
    from product_svc import handlers, store  # noqa: PLC0415 - see above
    from product_svc.stock import Movement, Wanted  # noqa: PLC0415

    known, execute = handlers._known, store._ADD_MOVEMENTS  # noqa: SLF001 - that is what a mutant is

    def forgets(tx: Connection, wanted: Sequence[Wanted]) -> dict[int, Movement]:
        is_undo = all(one.price is None for one in wanted)
        return known(tx, wanted) if is_undo else {}

    setattr(handlers, "_known", forgets)  # noqa: B010 - mypy would not have it otherwise
    again = "DO UPDATE SET update_time = now()"  # else the row that is there already would stop the transaction
    setattr(store, "_ADD_MOVEMENTS", _without(execute, "DO NOTHING", again))  # noqa: B010


def _offsets_first() -> None:
    """The consumer commits a batch's offsets before its effects."""
    work = chassis.consumer.Consumer._work  # noqa: SLF001

    def hasty(self: chassis.consumer.Consumer, batch: Sequence[KafkaMessage]) -> None:
        ends = {source(message)[:2]: source(message)[2] + 1 for message in batch}
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in ends.items()]
        self._consumer.commit(offsets=offsets, asynchronous=False)
        work(self, batch)

    setattr(chassis.consumer.Consumer, "_work", hasty)  # noqa: B010


def _no_tombstone() -> None:
    """delivery_svc undoes what it has never heard of by doing nothing, and does not remember."""
    from delivery_svc import store  # noqa: PLC0415
    from delivery_svc.deliveries import UNDONE, Delivery, Wanted  # noqa: PLC0415

    add = store.add

    def adds(tx: Connection, wanted: Sequence[tuple[Wanted, str | None]]) -> dict[int, Delivery]:
        return add(tx, [(one, refusal) for one, refusal in wanted if refusal != UNDONE])

    setattr(store, "add", adds)  # noqa: B010


def _no_version_check() -> None:
    """Sagas are read without a lock and stored whatever has become of them meanwhile."""
    from saga import store  # noqa: PLC0415

    for name in ("_LOAD", "_CLAIM"):
        setattr(store, name, _without(getattr(store, name), "FOR UPDATE", ""))
    setattr(store, "_UPDATE", _without(store._UPDATE, "AND sagas.version = new.loaded_version", ""))  # noqa: B010, SLF001
    setattr(store, "_APPEND", text(f"{store._APPEND.text} ON CONFLICT DO NOTHING"))  # noqa: B010, SLF001


def _careless_relay() -> None:
    """The relay takes rows out of the outbox and does not publish them."""

    def loses(self: outbox.Relay) -> int:
        with self._engine.begin() as tx:
            rows = outbox._claim(tx, self._age)  # noqa: SLF001
            return outbox.remove(tx, [row_id for row_id, _ in rows])

    setattr(outbox.Relay, "relay_once", loses)  # noqa: B010


def _without(statement: TextClause, part: str, instead: str) -> TextClause:
    assert part in statement.text, f"{part!r} is not in the statement any more"
    return text(statement.text.replace(part, instead))


MUTANTS: dict[str, Callable[[], None]] = {
    "forgetful-stock": _forgetful_stock,
    "offsets-first": _offsets_first,
    "no-tombstone": _no_tombstone,
    "no-version-check": _no_version_check,
    "careless-relay": _careless_relay,
}
