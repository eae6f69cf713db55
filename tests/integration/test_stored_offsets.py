"""Two members of a group that store an offset of the same partition at once: the higher one stays."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.kafka.consumed import Partition
from sagakit.offsets import stored_offsets
from sagakit.offsets.tables import CREATE_CONSUMED_OFFSETS
from sagakit.postgres.database import Database
from tests.support.scratch import database_of, scratch_database
from tests.support.wait import eventually

PLACE: Partition = ("pings", 0)


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(scratch_database(stack))
    with database.transaction() as tx:
        tx.execute(CREATE_CONSUMED_OFFSETS)
        stored_offsets.write(tx, {PLACE: 90})
    yield database
    database.close()


def store(database: Database, offset: int) -> None:
    database.transact(lambda tx: stored_offsets.write(tx, {PLACE: offset}, {PLACE: 90}))


def somebody_waits(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall()


def test_a_former_owner_that_waits_for_the_new_owners_commit_does_not_lower_its_offset(database: Database) -> None:
    with ThreadPoolExecutor(1) as former:
        with database.transaction() as tx:
            stored_offsets.write(tx, {PLACE: 150}, {PLACE: 90})
            assert stored_offsets.read(tx) == {PLACE: 150}  # the server has it, and the row is locked
            late = former.submit(store, database, 100)
            eventually(lambda: somebody_waits(database))
        late.result()
    assert database.transact(stored_offsets.read) == {PLACE: 150}


def test_a_member_that_waits_for_tables_to_be_overwritten_notices(database: Database) -> None:
    with ThreadPoolExecutor(1) as member:
        with database.transaction() as tx:
            tx.execute("UPDATE consumed_offsets SET next_offset = 30").fetchall()
            late = member.submit(store, database, 100)
            eventually(lambda: somebody_waits(database))
        with pytest.raises(psycopg.Error) as caught:
            late.result()
    assert stored_offsets.has_less(caught.value)
    assert database.transact(stored_offsets.read) == {PLACE: 30}
