"""Faults of databases that answer, and refuse: read-only, without a grant, with a table moved away or altered."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random

import psycopg

from devstack.stack import Stack
from tests.chaos.evidence import SERVICES
from tests.chaos.recorder_rows import Reader
from tests.chaos.stage import Stage

_RETRY_SECONDS = 30.0
_TABLES = {
    "order_svc": "orders",
    "product_svc": "stock_movements",
    "delivery_svc": "deliveries",
    "orchestrator_svc": "sagas",
}
_TEXTS = {
    "order_svc": ("orders", "cancel_note"),
    "product_svc": ("stock_movements", "refusal"),
    "delivery_svc": ("deliveries", "refusal"),
    "orchestrator_svc": ("sagas", "last_error"),
}
"""By service: a column of text that its statements return."""
_READ_ONLY = "default_transaction_read_only"


@contextmanager
def read_only(stage: Stage, random: Random) -> Iterator[str]:
    """Let databases take no writes for a while, as a standby does.

    Either the sessions are ended, as by a failover; or they stay, as where somebody sets the server so.
    """
    services = sorted(random.sample(SERVICES, random.randint(1, len(SERVICES))))
    if random.random() < 0.3:
        with _set_so(stage.stack, services):
            yield f"the servers are read-only of {', '.join(services)}, and the sessions stay"
        return
    ended_again = random.random() < 0.5
    with failed_over(stage.stack, services, ended_again=ended_again):
        yield f"read-only: {', '.join(services)}; their sessions {'are ended' if ended_again else 'stay'} when healed"


@contextmanager
def failed_over(stack: Stack, services: Sequence[str], *, ended_again: bool) -> Iterator[None]:
    """Let the databases of ``services`` be read-only meanwhile; their sessions end at once, and perhaps afterwards."""
    with ExitStack() as healing:
        for service in services:
            end = ending_sessions(service)
            heal = [f"ALTER DATABASE {service} RESET {_READ_ONLY}", *([end] if ended_again else [])]
            healing.enter_context(_healed(stack, service, heal))
            as_admin(stack, service, [f"ALTER DATABASE {service} SET {_READ_ONLY} = on", end])
        yield


@contextmanager
def _set_so(stack: Stack, services: Sequence[str]) -> Iterator[None]:
    """Let the servers of ``services`` be read-only meanwhile."""
    with ExitStack() as healing:
        for service in services:
            heal = ["ALTER SYSTEM RESET " + _READ_ONLY, "SELECT pg_reload_conf()"]
            healing.enter_context(_healed(stack, service, heal))
            as_admin(stack, service, [f"ALTER SYSTEM SET {_READ_ONLY} = on", "SELECT pg_reload_conf()"])
        yield


@contextmanager
def refusing(stage: Stage, random: Random) -> Iterator[str]:
    """Let a database refuse what is asked of it, for a reason that somebody mends: a grant, a table, a limit."""
    service = random.choice(SERVICES)
    table, role = _TABLES[service], stage.stack.databases[service].runtime_role(service)
    rows = f"SELECT, INSERT, UPDATE, DELETE ON {table}"
    what, begin, heal = random.choice(
        [
            (f"{table} is not granted", f"REVOKE {rows} FROM {role}", f"GRANT {rows} TO {role}"),
            (f"{table} is not there", f"ALTER TABLE {table} RENAME TO moved", f"ALTER TABLE moved RENAME TO {table}"),
        ]
    )

    def mend() -> None:
        with stage.recorder.reader.connect(service) as owner:
            owner.execute(heal.encode())

    with stage.recorder.reader.connect(service) as owner:
        owner.execute(b"SET lock_timeout = '5s'")
        owner.execute(begin.encode())
    try:
        yield f"{service}: {what}"
    finally:
        persistently(mend)


@contextmanager
def altered(stage: Stage, random: Random) -> Iterator[str]:
    """Change a column's type in every database, under load, and back: what was prepared before is out of date."""
    services, to = random.sample(SERVICES, len(SERVICES)), f"varchar({random.randint(300, 900)})"
    with retyped(stage.recorder.reader, services, to):
        yield f"a column's type is {to} in {', '.join(services)}"


@contextmanager
def retyped(reader: Reader, services: Sequence[str], to: str) -> Iterator[None]:
    """Let a column that the statements of each of ``services`` return be of the type ``to`` meanwhile."""
    with ExitStack() as changed:
        for service in services:
            changed.callback(_alter, reader, service, "text")
            _alter(reader, service, to)
        yield


def _alter(reader: Reader, service: str, to: str) -> None:
    table, column = _TEXTS[service]

    def change() -> None:
        with reader.connect(service) as owner:
            owner.execute(b"SET lock_timeout = '1s'")  # who waits for the table holds up all who come after
            owner.execute(f"ALTER TABLE {table} ALTER {column} TYPE {to}".encode())

    persistently(change)


@contextmanager
def _healed(stack: Stack, service: str, statements: Sequence[str]) -> Iterator[None]:
    try:
        yield
    finally:
        persistently(lambda: as_admin(stack, service, statements))


def ending_sessions(database: str) -> str:
    """Return the statement that ends the sessions of ``database``."""
    return (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - the names are constants
        f" WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    )


def as_admin(stack: Stack, service: str, statements: Sequence[str]) -> None:
    """Execute ``statements`` as whoever may do anything on the server of ``service``."""
    with psycopg.connect(stack.databases[service].dsn("postgres"), autocommit=True, connect_timeout=5) as admin:
        admin.execute(f"SET {_READ_ONLY} = off".encode())
        for statement in statements:
            admin.execute(statement.encode())


def persistently(do: Callable[[], None]) -> None:
    """Do it again where the server is busy or away: what a fault has broken must not stay so."""
    give_up = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            do()
        except psycopg.Error:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.3)
        else:
            return
