"""Servers of another make than the stack's, from Debian's packages: PostgreSQL 15, and PgBouncer before a server.

Where a package is not installed its tests are skipped by name; `.ci/run` installs both, and fails on a skip.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from devstack.layout import NOBODY
from devstack.ports import free_port
from devstack.processes import run_as

_POSTGRES = Path("/usr/lib/postgresql/15/bin")
_POOLER = Path("/usr/sbin/pgbouncer")
_USER = NOBODY if os.geteuid() == 0 else None
"""Neither program runs as root."""
_READY_SECONDS = 30
_STOP_SECONDS = 20
PASSWORD = "s3cret/@ß"  # noqa: S105 - of a server that lives for one test


class Debian15:
    """PostgreSQL 15, with the part of `devstack.postgres.Postgres` that tests use."""

    def __init__(self, port: int, sockets: Path) -> None:
        self.port, self.sockets = port, sockets

    def dsn(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_databases(self, names: list[str]) -> None:
        for name in names:
            self.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def run(self, *statements: "sql.Composed | sql.SQL") -> None:
        """Run statements as the server's owner."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@contextmanager
def postgres_15(settings: Mapping[str, str] | None = None) -> Iterator[Debian15]:
    """Run a server of its own, which lets everybody in."""
    if not _POSTGRES.exists():
        pytest.skip("PostgreSQL 15 is not installed: apt-get install postgresql-15")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        init = [str(_POSTGRES / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            run_as(_USER, [*init, "--locale=C.UTF-8", "--no-sync"]), cwd="/", check=True, capture_output=True
        )
        ours = {"port": str(port), "unix_socket_directories": str(folder), "fsync": "off", "max_connections": "50"}
        options = [f"--{name}={value}" for name, value in {**ours, **(settings or {})}.items()]
        server = Debian15(port, folder)
        with _running([str(_POSTGRES / "postgres"), "-D", str(data), *options], folder / "log"):
            _until_it_answers(server.dsn("postgres"))
            yield server


@contextmanager
def pgbouncer(
    target: str, port: int, user: str, password: str, database: str = "postgres", **settings: str
) -> Iterator[str]:
    """Run PgBouncer before the server at ``target``, set as Debian delivers it but for ``settings``; yield its address.

    The address, ``host:port``, takes every database, and the login that is given, which may connect to ``database``.
    """
    if not _POOLER.exists():
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    with _folder() as folder:
        own = free_port()
        ours = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(own),
            "unix_socket_dir": "",
            "auth_type": "md5",
            "auth_file": str(folder / "users"),
            **settings,
        }
        pooler = "\n".join(f"{name} = {value}" for name, value in ours.items())
        (folder / "users").write_text(f'"{user}" "{password}"\n')
        (folder / "ini").write_text(f"[databases]\n* = host={target} port={port}\n[pgbouncer]\n{pooler}\n")
        with _running([str(_POOLER), str(folder / "ini")], folder / "log"):
            _until_it_answers(f"postgresql://{user}:{password}@127.0.0.1:{own}/{database}")
            yield f"127.0.0.1:{own}"


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that the servers' user may read and write."""
    folder = Path(tempfile.mkdtemp(prefix="order-saga-"))
    try:
        if _USER is not None:
            shutil.chown(folder, _USER, _USER)
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(run_as(_USER, command), cwd="/", stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    with process:
        try:
            yield
        finally:
            process.terminate() if "pgbouncer" in command[0] else process.send_signal(2)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _until_it_answers(dsn: str) -> None:
    give_up = time.monotonic() + _READY_SECONDS
    while True:
        try:
            with closing(psycopg.connect(dsn, connect_timeout=5, autocommit=True)) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return
