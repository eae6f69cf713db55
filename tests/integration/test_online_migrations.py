"""A migration holds up nobody who uses the table, and one that was killed anywhere is finished by the next."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.postgres.migrations import migrate
from tests.support.migrating import migrate_to, migrating, url_of
from tests.support.scratch import scratch_database
from tests.support.sql import count, query
from tests.support.wait import eventually

PLACE = "INSERT INTO orders (order_id, user_id, product_id, quantity, price, address) VALUES (%s, 1, 2, 3, 4, '')"
INDEXES = {
    "order_svc": {
        "orders_to_announce": "(announce_time) WHERE (status = 'PENDING'::text)",
        "orders_cancelled": "(order_id) WHERE (status = 'CANCELLED'::text)",
    },
    "orchestrator_svc": {"sagas_compensated": "(saga_id) WHERE (status = 'COMPENSATED'::text)"},
    "delivery_svc": {"deliveries_cancelled": "(delivery_id) WHERE (status = 'CANCELLED'::text)"},
}
ONLINE = "-c lock_timeout=5000"
"""With which a statement fails that waits behind a lock which is not given up."""


@pytest.fixture
def dsn(stack: Stack) -> str:
    """The database of an order service at its first revision, with an order."""
    made = scratch_database(stack)
    migrate_to("order_svc", made, "0001")
    query(made, PLACE, 1)
    return made


@contextmanager
def writing(dsn: str) -> Iterator[None]:
    """Have a transaction open that has placed an order, as a migration that wants the whole table must wait for."""
    with psycopg.connect(dsn) as connection:
        connection.execute(PLACE.encode(), [2])
        yield


@contextmanager
def reading(dsn: str) -> Iterator[None]:
    """Have a transaction open that has read nothing of the table, as the build of an index waits for: a backup, say."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT now()")
        yield


def place(dsn: str, order_id: int) -> None:
    with psycopg.connect(dsn, autocommit=True, options=ONLINE) as connection:
        connection.execute(PLACE.encode(), [order_id])


def builder(dsn: str) -> int:
    """Wait until an index is being built that waits for others, and return the process id of who builds it."""

    def look() -> int:
        ((pid,),) = query(
            dsn,
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'virtualxid'"
            " AND query LIKE 'CREATE INDEX CONCURRENTLY%%'",
        ) or [(0,)]
        assert pid
        return int(pid)

    return eventually(look, 30)


def must_be_whole(dsn: str, service: str) -> None:
    """See that the database is at the newest revision, and that every index is there as its revision has it."""
    migrate(service, url_of(dsn))
    found = query(
        dsn,
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index"
        " JOIN pg_class ON oid = indexrelid WHERE relnamespace = 'public'::regnamespace",
    )
    assert [name for name, _, valid in found if not valid] == []
    indexes = {name: definition.partition(" USING btree ")[2] for name, definition, _ in found}
    assert {name: indexes.get(name) for name in INDEXES[service]} == INDEXES[service]


@pytest.mark.parametrize("service", INDEXES)
def test_a_new_database_gets_every_index_that_its_revisions_name(stack: Stack, service: str) -> None:
    made = scratch_database(stack)
    migrate(service, url_of(made))
    must_be_whole(made, service)


def test_who_comes_while_a_migration_waits_for_a_lock_is_let_through(dsn: str) -> None:
    def must_wait() -> None:
        assert count(dsn, "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted")

    with ThreadPoolExecutor() as pool:
        with writing(dsn):
            done = pool.submit(migrate, "order_svc", url_of(dsn))
            for order_id in (3, 4, 5):
                eventually(must_wait, 30, every=0.01)
                place(dsn, order_id)
            assert not done.done()
        done.result(60)
    must_be_whole(dsn, "order_svc")
    assert count(dsn, "SELECT count(*) FROM orders WHERE order_id IN (3, 4, 5)") == 3


def test_orders_are_placed_while_an_index_is_built(dsn: str) -> None:
    with ThreadPoolExecutor() as pool:
        with reading(dsn):
            done = pool.submit(migrate, "order_svc", url_of(dsn))
            builder(dsn)
            place(dsn, 3)
            assert not done.done()
        done.result(60)
    must_be_whole(dsn, "order_svc")


def test_replicas_that_wait_for_their_turn_do_not_hold_up_the_build_of_an_index(dsn: str) -> None:
    with ThreadPoolExecutor() as pool:
        with reading(dsn):
            first = pool.submit(migrate, "order_svc", url_of(dsn))
            builder(dsn)
            others = [pool.submit(migrate, "order_svc", url_of(dsn)) for _ in range(3)]
            time.sleep(2)  # twice what it takes PostgreSQL to see a deadlock
        for done in (first, *others):
            done.result(60)
    must_be_whole(dsn, "order_svc")


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_the_next_migration_finishes_what_a_killed_one_still_does_on_the_server(dsn: str, revision: str) -> None:
    migrate_to("order_svc", dsn, revision)
    with ThreadPoolExecutor() as pool:
        with reading(dsn):
            with migrating("order_svc", dsn) as killed:
                builder(dsn)
            assert killed.returncode < 0
            done = pool.submit(migrate, "order_svc", url_of(dsn))
        done.result(60)
    must_be_whole(dsn, "order_svc")


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_the_next_migration_builds_the_index_anew_that_a_killed_one_left_invalid(dsn: str, revision: str) -> None:
    migrate_to("order_svc", dsn, revision)
    with reading(dsn):
        with migrating("order_svc", dsn):
            pid = builder(dsn)
        query(dsn, "SELECT pg_terminate_backend(%s, 10000)", pid)
    assert count(dsn, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
    must_be_whole(dsn, "order_svc")


def test_a_migration_whose_connection_is_lost_begins_again_by_itself(dsn: str) -> None:
    with migrating("order_svc", dsn) as process:
        with reading(dsn):
            query(dsn, "SELECT pg_terminate_backend(%s, 10000)", builder(dsn))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "database is up to date" in output
    must_be_whole(dsn, "order_svc")


def test_limits_that_are_set_for_the_services_do_not_end_the_build_of_an_index(dsn: str) -> None:
    (database,) = query(dsn, "SELECT current_database()")[0]
    query(dsn, f"ALTER DATABASE {database} SET statement_timeout = '1s'")
    with ThreadPoolExecutor() as pool:
        with reading(dsn):
            done = pool.submit(migrate, "order_svc", url_of(dsn))
            builder(dsn)
            time.sleep(2)
            assert not done.done()
        done.result(60)
    must_be_whole(dsn, "order_svc")
