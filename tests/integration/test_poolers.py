"""PgBouncer before a service's database: as delivered it works; what takes sessions apart is refused by name."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import psycopg
import pytest
from ordersaga.order.v1.order_pb2 import CreateOrderRequest, OrderStatus, WatchOrderRequest
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub
from psycopg.conninfo import conninfo_to_dict

from devstack.stack import Stack
from sagakit.postgres.address import SERVING, DatabaseAddress, UnsupportedServer
from sagakit.postgres.migrations import migrate
from sagakit.postgres.poolers import must_keep_sessions
from tests.support.by_hand import by_hand
from tests.support.debian import Debian15, pgbouncer
from tests.support.scratch import database_of
from tests.support.wait import eventually

USER, WORD = "pooled", "pooled"
APART = ["transaction", "statement"]
BUSY_CLIENTS = 6


@pytest.fixture(scope="module")
def name(debian: Debian15) -> str:
    """A database and a login."""
    debian.run(
        psycopg.sql.SQL("CREATE ROLE pooled LOGIN SUPERUSER PASSWORD 'pooled'"),
        psycopg.sql.SQL("CREATE DATABASE pooled OWNER pooled"),
        psycopg.sql.SQL("ALTER DATABASE pooled SET datestyle TO 'German, DMY'"),
    )
    return "pooled"


@contextmanager
def pooled(debian: Debian15, name: str, **settings: str) -> Iterator[str]:
    """Yield the address of the database behind a PgBouncer."""
    with pgbouncer("127.0.0.1", debian.port, USER, WORD, **settings) as pooler:
        yield f"postgresql://{USER}:{WORD}@{pooler}/{name}"


def check(url: str) -> None:
    must_keep_sessions(DatabaseAddress.parse(url))


@contextmanager
def busy(url: str) -> Iterator[None]:
    """Have others use the pool meanwhile."""
    stop = threading.Event()

    def query() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                with connection.transaction():
                    connection.execute("SELECT pg_sleep(0.001)", prepare=False)

    threads = [threading.Thread(target=query) for _ in range(BUSY_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_server_without_a_pooler_passes(debian: Debian15, name: str) -> None:
    check(debian.dsn(name))


@pytest.mark.parametrize("size", ["20", "2", "1"])
def test_a_pool_of_sessions_passes(debian: Debian15, name: str, size: str) -> None:
    with pooled(debian, name, default_pool_size=size) as url:
        check(url)
        migrate("product_svc", DatabaseAddress.parse(url))


def test_a_pool_of_sessions_in_use_passes(debian: Debian15, name: str) -> None:
    with pooled(debian, name) as url, busy(url):
        for _ in range(3):
            check(url)


@pytest.mark.parametrize("size", ["20", "1"])
@pytest.mark.parametrize("mode", APART)
def test_a_pool_of_transactions_is_refused(debian: Debian15, name: str, mode: str, size: str) -> None:
    with pooled(debian, name, pool_mode=mode, default_pool_size=size) as url:
        for _ in range(3):
            with pytest.raises(UnsupportedServer, match="pool_mode"):
                check(url)
        with pytest.raises(UnsupportedServer):
            migrate("product_svc", DatabaseAddress.parse(url))


@pytest.mark.parametrize("settings", [{}, {"server_round_robin": "1"}, {"default_pool_size": "3"}], ids=str)
def test_a_pool_of_transactions_in_use_is_refused(debian: Debian15, name: str, settings: dict[str, str]) -> None:
    with pooled(debian, name, pool_mode="transaction", **settings) as url, busy(url):
        for _ in range(5):
            with pytest.raises(UnsupportedServer):
                check(url)


def test_what_the_code_relies_on_is_set_behind_a_pooler_as_well(debian: Debian15, name: str) -> None:
    with pooled(debian, name) as url:
        for _ in range(2):  # the second gets the first one's session, which was reset
            with DatabaseAddress.parse(url).connect(SERVING) as connection:
                assert connection.execute("SHOW datestyle").fetchone() == ("ISO, MDY",)
        database = database_of(url)
        for _ in range(3):
            with database.transaction() as tx:
                assert tx.execute("SELECT now() AS now").fetchall()[0].now.utcoffset().total_seconds() == 0
        database.close()


def test_a_replica_works_behind_a_pooler_as_it_is_delivered(stack: Stack) -> None:
    database = conninfo_to_dict(stack.service("order_svc").dsn)
    login = str(database["user"]), str(database["password"])
    with pgbouncer("127.0.0.1", int(str(database["port"])), *login, str(database["dbname"])) as pooler:
        url = f"postgresql://{':'.join(login)}@{pooler}/{database['dbname']}"
        with by_hand("order_svc", url, stack=stack) as replica, grpc.insecure_channel(replica.grpc) as channel:
            use(OrderServiceStub(channel))
            assert replica.stop() == 0


def use(stub: OrderServiceStub) -> None:
    """Place orders and watch them to their end, which takes prepared statements and notifications."""
    wanted = CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000)

    def create() -> int:
        try:
            order_id: int = stub.CreateOrder(wanted, timeout=10).order.order_id
        except grpc.RpcError as error:
            raise AssertionError(error) from error
        return order_id

    eventually(create, 60)
    for _ in range(5):
        updates = list(stub.WatchOrder(WatchOrderRequest(order_id=create()), timeout=60))
        assert updates[-1].order.status == OrderStatus.ORDER_STATUS_COMPLETED


@pytest.mark.parametrize("arguments", [["migrate"], []], ids=["migrate", "serve"])
def test_a_command_that_meets_a_pool_of_transactions_ends_with_one_line(
    debian: Debian15, name: str, arguments: list[str]
) -> None:
    with pooled(debian, name, pool_mode="transaction") as url, by_hand("order_svc", url, *arguments) as run:
        code, log = run.ended()
    assert code == 1
    (line,) = [line for line in log.splitlines() if "pool_mode" in line]
    assert "not migrated: " in line if arguments else '"level": "critical"' in line
    assert "Traceback" not in log
