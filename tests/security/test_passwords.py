"""Passwords of a service are changed while orders come, by the steps of docs/rotation.md: no order is lost by it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.security import DEPLOYER
from devstack.stack import Stack
from tests.support.logins import client_of
from tests.support.shop import COMPLETED, Shop

SERVICE = "product_svc"
NEW = "another-password"
SHA_512 = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
_ENDED_SECONDS = 60.0


@contextmanager
def orders_coming(stack: Stack) -> Iterator[None]:
    """Place orders one after the other meanwhile; see in the end that each of them is completed."""
    stopping = threading.Event()
    with Shop(stack) as shop, ThreadPoolExecutor(1) as pool:
        product = shop.product(stock=100_000)

        def keep_placing() -> list[int]:
            placed = []
            while not stopping.is_set():
                placed.append(shop.place(product).order_id)
                time.sleep(0.02)
            return placed

        placing = pool.submit(keep_placing)
        try:
            yield
        finally:
            stopping.set()
        placed = placing.result()
        assert len(placed) > 20
        assert {shop.final(shop.order(order_id), _ENDED_SECONDS).status for order_id in placed} == {COMPLETED}


@pytest.fixture
def as_before(closed_stack: Stack) -> Iterator[None]:
    """Give the service its own passwords again in the end."""
    yield
    give_kafka(closed_stack, closed_stack.security.password(SERVICE))
    give_postgres(closed_stack, str(conninfo_to_dict(runtime_of(closed_stack))["password"]))
    restart(closed_stack)


def runtime_of(stack: Stack) -> str:
    return stack.postgres.runtime_dsn(stack.postgres.dsn(SERVICE))


def restart(stack: Stack, **settings: str) -> None:
    service = stack.service(SERVICE)
    service.stop()
    service.start(extra_env=settings)


def give_kafka(stack: Stack, password: str) -> None:
    admin = AdminClient(client_of(stack, DEPLOYER))  # it has to live until its future is done
    upsertion = UserScramCredentialUpsertion(SERVICE, SHA_512, password.encode())
    admin.alter_user_scram_credentials([upsertion])[SERVICE].result(15)


def give_postgres(stack: Stack, password: str) -> None:
    role = str(conninfo_to_dict(runtime_of(stack))["user"])
    with psycopg.connect(stack.postgres.dsn("postgres")) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))


@pytest.mark.usefixtures("as_before")
def test_a_password_of_kafka_is_changed_and_the_former_lets_nobody_in(closed_stack: Stack) -> None:
    with orders_coming(closed_stack):
        give_kafka(closed_stack, NEW)
        restart(closed_stack, KAFKA_SASL_PASSWORD=NEW)
    with pytest.raises(KafkaException):
        AdminClient(client_of(closed_stack, SERVICE)).list_topics(timeout=5)
    changed = client_of(closed_stack, SERVICE, kafka_sasl_password=NEW)
    assert "product-decreased" in AdminClient(changed).list_topics(timeout=15).topics


@pytest.mark.usefixtures("as_before")
def test_a_password_of_postgresql_is_changed_and_the_former_lets_nobody_in(closed_stack: Stack) -> None:
    changed = make_conninfo(runtime_of(closed_stack), password=NEW)
    with orders_coming(closed_stack):
        give_postgres(closed_stack, NEW)
        restart(closed_stack, DATABASE_URL=changed)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(runtime_of(closed_stack), passfile="/nowhere"))
    psycopg.connect(changed).close()
