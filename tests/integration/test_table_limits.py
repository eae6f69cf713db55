"""The tables' own limits: the second wall. They come online, and do not wedge a database that breaks them already."""

import psycopg
import pytest

from devstack.stack import Stack
from tests.support.migrating import migrate_to
from tests.support.scratch import migrated_database, scratch_database

MOVEMENT = "INSERT INTO stock_movements (order_id, product_id, quantity, price, undone) VALUES"
SAGA = "INSERT INTO sagas (saga_id, start, status, attempt, stuck, version, create_time, update_time) VALUES"
BROKEN = [
    ("order_svc", "INSERT INTO orders (order_id, user_id, product_id, quantity, price, address) VALUES {}", row)
    for row in (
        "(0,1,1,1,1,'')",
        "(1,0,1,1,1,'')",
        "(1,1,-1,1,1,'')",
        "(1,1,1,1000001,1,'')",
        "(1,1,1,1,1,repeat('x',501))",
    )
]
BROKEN += [("product_svc", MOVEMENT + " {}", f"(1,1,{quantity},1,false)") for quantity in (-5, 0, 1_000_001, 2**62)]
BROKEN += [("product_svc", MOVEMENT + " {}", row) for row in ("(0,1,1,1,false)", "(1,1,1,-1,false)")]
BROKEN += [
    ("product_svc", "INSERT INTO products (name, price, stock) VALUES {}", row) for row in ("('',1,1)", "('x',1,-1)")
]
BROKEN += [
    ("delivery_svc", "INSERT INTO deliveries (order_id, delivery_id, user_id, address, status) VALUES {}", row)
    for row in ("(0,1,1,'','SCHEDULED')", "(1,1,0,'','SCHEDULED')", "(1,1,1,repeat('x',501),'SCHEDULED')")
]
BROKEN += [("orchestrator_svc", SAGA + " {}", "(0,'{}','COMPLETED',0,false,1,now(),now())")]


@pytest.fixture(scope="module")
def databases(stack: Stack) -> dict[str, str]:
    services = sorted({service for service, _, _ in BROKEN})
    return {service: migrated_database(stack, service) for service in services}


@pytest.mark.parametrize(("service", "insert", "row"), BROKEN, ids=str)
def test_a_row_outside_of_the_domain_is_not_stored(
    databases: dict[str, str], service: str, insert: str, row: str
) -> None:
    with (
        psycopg.connect(databases[service]) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(insert.replace("{}", row, 1))


def test_all_limits_are_validated(databases: dict[str, str]) -> None:
    for dsn in databases.values():
        with psycopg.connect(dsn) as connection:
            left = connection.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated").fetchall()
        assert left == []


def test_a_database_that_breaks_them_already_is_migrated_and_holds_what_is_written_from_then_on(stack: Stack) -> None:
    dsn = scratch_database(stack)
    migrate_to("product_svc", dsn, "0002")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"{MOVEMENT} (1, 1, -5, 10000, false)")
        migrate_to("product_svc", dsn, "head")
        assert connection.execute("SELECT quantity FROM stock_movements").fetchall() == [(-5,)]
        unvalidated = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
        assert connection.execute(unvalidated).fetchall() == [("stock_movements_limits",)]
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"{MOVEMENT} (2, 1, -5, 10000, false)")
        connection.execute("UPDATE stock_movements SET quantity = 5")
        connection.execute("ALTER TABLE stock_movements VALIDATE CONSTRAINT stock_movements_limits")
        assert connection.execute(unvalidated).fetchall() == []
