"""A client that stands still in the middle of a transaction, as a frozen process does, must not hold up the others."""

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.families import passes
from sagakit.postgres.address import SERVING
from tests.support.scratch import database_of, scratch_database


def test_a_transaction_whose_client_stands_still_lets_go_of_its_locks(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = scratch_database(stack)
    living = database_of(dsn)
    monkeypatch.setitem(SERVING, "transaction_timeout", "500")  # a minute is too long for a test
    still = database_of(dsn)

    def stand_still() -> None:
        with still.transaction() as tx:
            tx.execute("SELECT pg_advisory_xact_lock(1)").fetchall()
            with living.transaction() as other:
                other.execute("SELECT pg_advisory_xact_lock(1)").fetchall()  # waits until the first has ended
            tx.execute("SELECT 1").fetchall()

    with pytest.raises(psycopg.Error) as caught:
        stand_still()
    assert passes(caught.value)
    assert not isinstance(caught.value, psycopg.errors.LockNotAvailable), "the lock was never let go"
    for database in (living, still):
        database.close()
