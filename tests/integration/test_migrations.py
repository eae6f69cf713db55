"""Migrations: safe to repeat, to run side by side, and to meet a database that is ahead."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.errors import CheckViolation

from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.postgres.migrations import migrate
from tests.support.migrating import migrate_to, migrating, url_of
from tests.support.scratch import scratch_database
from tests.support.sql import query


def tables(dsn: str) -> set[str]:
    return {name for (name,) in query(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@pytest.mark.parametrize("service", NAMES)
def test_migrating_twice_changes_nothing_the_second_time(stack: Stack, service: str) -> None:
    dsn = scratch_database(stack)
    migrate(service, url_of(dsn))
    before = tables(dsn)
    assert "alembic_version" in before
    assert len(before) > 1
    migrate(service, url_of(dsn))
    assert tables(dsn) == before


def test_replicas_that_start_together_migrate_one_after_the_other(stack: Stack) -> None:
    dsn = scratch_database(stack)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate("product_svc", url_of(dsn)), range(4)))
    assert query(dsn, "SELECT name, price, stock FROM products ORDER BY product_id")[0] == (
        "Notebook",
        10_000,
        1_000_000,
    )
    assert len(query(dsn, "SELECT * FROM products")) == 3


def test_a_database_that_is_ahead_of_the_code_is_left_as_it_is(stack: Stack) -> None:
    dsn = scratch_database(stack)
    migrate("order_svc", url_of(dsn))
    query(dsn, "UPDATE alembic_version SET version_num = '9999'")
    query(dsn, "ALTER TABLE orders ADD COLUMN from_the_future text")
    migrate("order_svc", url_of(dsn))
    assert query(dsn, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert query(dsn, "SELECT from_the_future FROM orders") == []


BEFORE_CANCELS = (
    "INSERT INTO orders (order_id, user_id, product_id, quantity, price, address) VALUES (%s, 1, 2, 3, 4, '')"
)
"""As the order service wrote at revision 0001."""


def test_orders_from_before_cancels_were_known_are_kept_and_announced_when_they_stay_pending(stack: Stack) -> None:
    dsn = scratch_database(stack)
    migrate_to("order_svc", dsn, "0001")
    query(dsn, BEFORE_CANCELS, 1)
    migrate("order_svc", url_of(dsn))
    query(dsn, BEFORE_CANCELS, 2)  # a replica that has not been replaced yet
    due = "announce_time BETWEEN now() + interval '100 seconds' AND now() + interval '2 minutes'"
    found = query(dsn, f"SELECT order_id, cancel_request_time, announcements, {due} FROM orders ORDER BY order_id")  # noqa: S608 - constants
    assert found == [(1, None, 0, True), (2, None, 0, True)]


def test_a_request_to_cancel_is_stored_whole_or_not_at_all(stack: Stack) -> None:
    dsn = scratch_database(stack)
    migrate("order_svc", url_of(dsn))
    query(dsn, BEFORE_CANCELS, 1)
    with pytest.raises(CheckViolation):
        query(dsn, "UPDATE orders SET cancel_actor = 'Ada'")


def test_a_service_that_is_to_migrate_waits_for_its_database(stack: Stack) -> None:
    name = f"scratch_{uuid.uuid4().hex[:12]}"
    dsn = stack.postgres.dsn(name)
    with migrating("order_svc", dsn) as process:
        assert process.stdout
        first = process.stdout.readline()
        stack.postgres.create_databases([name])
        output, _ = process.communicate(timeout=60)
    assert "waiting" in first
    assert name in first
    assert process.returncode == 0
    assert "database is up to date" in output
    assert "orders" in tables(dsn)
