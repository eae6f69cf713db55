"""What the simulation takes the kit's statements to do, shown of PostgreSQL, and of the tables in memory."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from sagakit.messages import Encoded
from sagakit.offsets import stored_offsets
from sagakit.outbox import table
from sagakit.outbox.relay import Relay
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.testing.world.database import Database as Tables
from sagakit.testing.world.database import MemoryServer, Now
from sagakit.testing.world.faults import Machine
from tests.chaos.simulation.seams import simulated
from tests.support.scratch import database_of, migrated_database

PLACE, OTHER = ("product-decreased", 3), ('a "quoted" \\ topic', 0)


class Elsewhere:
    """A producer during whose deliveries something else happens."""

    def __init__(self, meanwhile: Any) -> None:
        self.delivered: list[bytes] = []
        self._meanwhile = meanwhile

    def deliver(self, messages: Sequence[Encoded], _: float) -> None:
        self.delivered += [message.key for message in messages]
        self._meanwhile()


@pytest.fixture(params=["PostgreSQL", "memory"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "memory":
        address: Any = MemoryServer(Tables(), Machine(), Now(datetime.now(UTC)))
        with simulated():
            yield Database(address, 5)
        return
    stack = request.getfixturevalue("stack")
    found = database_of(migrated_database(stack, "order_svc"))
    yield found
    found.close()


def message(key: str) -> Encoded:
    return Encoded("order-created", key.encode(), b'\0\\x"', (("message-id", key.encode()), ("none", None)))


def test_offsets_are_stored_as_a_whole_or_not_at_all(database: Database) -> None:
    database.transact(lambda tx: stored_offsets.write(tx, {PLACE: 7, OTHER: 1}))
    database.transact(lambda tx: stored_offsets.write(tx, {PLACE: 9}))

    def fail(tx: Transaction) -> None:
        stored_offsets.write(tx, {PLACE: 11})
        assert stored_offsets.read(tx)[PLACE] == 11
        raise LookupError

    with pytest.raises(LookupError):
        database.transact(fail)
    assert database.transact(stored_offsets.read) == {PLACE: 9, OTHER: 1}


@pytest.mark.parametrize("there", [{}, {PLACE: 8}], ids=["nothing", "less"])
def test_no_offset_is_stored_where_there_is_less_than_was_known(database: Database, there: dict[Any, int]) -> None:
    database.transact(lambda tx: stored_offsets.write(tx, there))
    with pytest.raises(psycopg.Error) as caught:
        database.transact(lambda tx: stored_offsets.write(tx, {PLACE: 10, OTHER: 3}, {PLACE: 9}))
    assert stored_offsets.has_less(caught.value)
    assert database.transact(stored_offsets.read) == there


@pytest.mark.parametrize(
    ("known", "to", "stored"), [(9, 12, 12), (9, 2, 2), (7, 8, 9), (7, 12, 12)], ids=["on", "back", "late", "ahead"]
)
def test_an_offset_that_another_member_has_stored_since_is_not_lowered(
    database: Database, known: int, to: int, stored: int
) -> None:
    database.transact(lambda tx: stored_offsets.write(tx, {PLACE: 9}))
    database.transact(lambda tx: stored_offsets.write(tx, {PLACE: to}, {PLACE: known}))
    assert database.transact(stored_offsets.read) == {PLACE: stored}


def test_what_was_committed_in_the_midst_stays(database: Database) -> None:
    def fail(pipeline: Pipeline) -> None:
        stored_offsets.write(pipeline, {PLACE: 7})
        pipeline.commit()
        stored_offsets.write(pipeline, {PLACE: 8})
        raise LookupError

    kept = database.kept()
    with pytest.raises(LookupError):
        kept.transact(fail)
    kept.close()
    assert database.transact(stored_offsets.read) == {PLACE: 7}


def test_the_fast_path_passes_over_what_the_relay_has_in_hand(database: Database) -> None:
    with database.transaction() as tx:
        added = table.add(tx, [message("1"), message("2")])
    ids = [row.outbox_id for row in added]

    def remove() -> None:
        database.transact(lambda tx: table.remove(tx, ids))
        assert database.transact(lambda tx: table.count(tx, 10)) == 2
        assert database.transact(lambda tx: table.oldest_seconds(tx)()) >= 0

    producer: Any = Elsewhere(remove)
    assert Relay(database, producer, age_seconds=-1, interval_seconds=1).relay_once() == 2
    assert producer.delivered == [b"1", b"2"]
    assert database.transact(lambda tx: table.count(tx, 10)) == 0
