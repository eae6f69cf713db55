"""PostgreSQL 18 from the wheel that carries its binaries, with a database and two logins for each service."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.errors import DevstackError
from devstack.java import environment
from devstack.layout import NOBODY, Layout, make_passable
from devstack.ports import choose_port
from devstack.postgres_tls import programs_with_tls, settings_with_tls
from devstack.processes import ManagedProcess, run_as
from devstack.programs import programs
from devstack.secrets import Secret
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State
from sagakit.postgres.address import DatabaseAddress

_READY_SECONDS = 60
_STOP_SECONDS = 30
_LEFTOVER_SECONDS = 10
_ROLE = "SELECT 1 FROM pg_roles WHERE rolname = %s"
_RUNTIME = "{}_runtime"
"""The role that a service logs in as; the one named like the service owns its tables."""
_MOST_SESSIONS = 40
"""How many sessions a service has at most, all its replicas together: two of them, and one that takes over."""
_DATABASE = "SELECT 1 FROM pg_database WHERE datname = %s"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # What a burst of a million orders writes fits, so that no page is written twice, and logged whole, in the middle.
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_SMALL = {"shared_buffers": "32MB", "max_connections": "60", "max_wal_size": "512MB"}
"""What differs on a server that has one service's database alone: there is one for each."""


class Postgres(Server):
    """One database server on 127.0.0.1."""

    def __init__(self, layout: Layout, state: State, service: str = "") -> None:
        """Keep its data in ``layout.postgres``; ``DATABASE_URL`` in the environment names a server to use instead.

        One that is for the database of a ``service`` alone has a folder of its own there, and is a small one.
        """
        name = f"postgres-{service}" if service else "postgres"
        super().__init__(ManagedProcess(state, name, layout.logs / f"{name}.log"), _STOP_SECONDS)
        self._folder, self._outside = layout.postgres / service, layout.outside / service
        self._above_outside = (layout.outside, layout.outside.parent)
        self._settings = {**_SETTINGS, **(_SMALL if service else {})}
        self._secret, self._security = Secret(layout.data / f"{name}.password"), Security(layout, state)
        self._wanted_port = layout.server_ports.get(name, 0)
        external = os.environ.get("DATABASE_URL") if layout.uses_environment else None
        self._external = _address(external) if external else None
        self.external = self._external is not None
        self._user = NOBODY if os.geteuid() == 0 else None

    @property
    def address(self) -> str:
        """Where it is reached, without a password."""
        if self._external:
            given = conninfo_to_dict(self._external)
            return ", ".join(f"{name}={given[name]}" for name in ("host", "port", "dbname") if name in given)
        return f"127.0.0.1:{self._process.record.get('port', '')}"

    def dsn(self, database: str) -> str:
        """Return the address of ``database``, with its owner's login, who bears its name; an external server's own."""
        if self._external:
            return make_conninfo(self._external, dbname=database)
        return self._address_of(database, database)

    def runtime_dsn(self, owner: str) -> str:
        """Return the address that a service runs on, where that of the ``owner`` is one of ours; else ``owner``."""
        if self._external or not self._secret.exists:
            return owner
        database = DatabaseAddress.parse(owner).database
        ours = owner == self.dsn(database)
        return self._address_of(database, _RUNTIME.format(database)) if ours else owner

    def runtime_role(self, database: str) -> str | None:
        """Return the role that the service of ``database`` logs in as; None where that is its owner."""
        return None if self._external else _RUNTIME.format(database)

    def _address_of(self, database: str, login: str) -> str:
        address = f"postgresql://{login}:{self._password(login)}@{self.address}/{database}"
        if not self._security.on:
            return address
        return f"{address}?sslmode=verify-full&sslrootcert={quote(str(self._security.ca), safe='')}"

    def start(self, progress: Progress = quiet) -> None:
        """Start it where it does not run, and return when it answers."""
        if self.external:
            self._admin().close()
            return
        if self.pid is None:
            progress("looking for its programs")
            own = programs(self._folder / "programs", self._user)
            folder = programs_with_tls(self._folder / "tls", progress) if self._security.on else own
            if not self._initialized():
                progress("making its data folder")
                self._initialize(own)
            progress("starting")
            self._launch(folder)
        self._process.wait_until(self.ready, _READY_SECONDS)

    def create_databases(self, names: list[str]) -> None:
        """Make a database for each of ``names``, where it is missing, and on our own server a login that owns it."""
        try:
            with self._admin() as admin:
                self._create_missing(admin, names)
        except psycopg.Error as error:
            raise DevstackError(f"the databases cannot be made: {' '.join(str(error).split())}") from error

    def create_runtime_roles(self, names: list[str]) -> None:
        """Make the role as which each of the services ``names`` runs; `migrate` gives it what it needs.

        On an external server nothing is made: there a service has the login of the environment.
        """
        if self._external:
            return
        try:
            with self._admin() as admin:
                for name in names:
                    self._log_in(admin, _RUNTIME.format(name), f"CONNECTION LIMIT {_MOST_SESSIONS}")
                    roles = sql.Identifier(_RUNTIME.format(name)), sql.Identifier(name)
                    admin.execute(sql.SQL("GRANT {} TO {}").format(*roles))  # the owner may end the service's sessions
                for database in ("postgres", "template1"):
                    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        except psycopg.Error as error:
            raise DevstackError(f"the roles cannot be made: {' '.join(str(error).split())}") from error

    def _log_in(self, admin: psycopg.Connection, role: str, options: str = "") -> None:
        """Let ``role`` log in with the password that it should have by now; make it where it is missing."""
        verb = "ALTER" if admin.execute(_ROLE, [role]).fetchone() else "CREATE"
        statement = sql.SQL(f"{verb} ROLE {{}} LOGIN {options} PASSWORD {{}}")
        admin.execute(statement.format(sql.Identifier(role), sql.Literal(self._password(role))))

    def _create_missing(self, admin: psycopg.Connection, names: list[str]) -> None:
        for name in names:
            owned = sql.SQL("" if self._external else "OWNER {}").format(sql.Identifier(name))
            if not self._external:
                self._log_in(admin, name)
            if not admin.execute(_DATABASE, [name]).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {} ").format(sql.Identifier(name)) + owned)

    def stop(self) -> None:
        """Stop it in good order: its fast shutdown, which ends sessions and loses nothing."""
        self._process.stop(_STOP_SECONDS, signal.SIGINT)  # SIGTERM would wait for every client to leave

    def remove(self) -> None:
        """Remove its data, and all that lies outside the stack's own folder."""
        for folder in (self._folder, self._outside):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in self._above_outside:
            with contextlib.suppress(OSError):  # another server's or stack's lie beside them, or there was nothing
                folder.rmdir()

    def _admin(self) -> psycopg.Connection:
        url = self._external or self._address_of("postgres", "postgres")
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=5)
        except psycopg.Error as error:
            raise DevstackError(f"PostgreSQL does not answer: {' '.join(str(error).split())}") from error

    def _password(self, login: str) -> str:
        """Return the password of ``login``; the server's own is the secret that the others follow from."""
        return self._secret.text() if login == "postgres" else self._secret.of(login)

    def _initialized(self) -> bool:
        if not (self._folder / "data").exists():
            return False
        if self._secret.exists:
            return True
        if self._folder != self._outside:
            raise DevstackError(f"{self._secret.file} is missing: nobody can log in to the data beside it any more")
        return False  # what is left of a data folder that was removed

    def _initialize(self, folder: Path) -> None:
        """Make the data folder with the programs in ``folder``: beside its place, and moved there when it is whole."""
        make_passable(self._folder)
        self._clear_leftovers(self._folder / "data")
        for left in [self._folder / "data", *self._folder.glob("making-*")]:
            shutil.rmtree(left, ignore_errors=True)
        data = Path(tempfile.mkdtemp(prefix="making-", dir=self._folder))
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._secret.text())
        if self._user is not None:
            os.chown(data, self._user, self._user)
            os.chown(password, self._user, self._user)
        arguments = ["--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8"]
        command = [str(folder / "initdb"), "-D", str(data), *arguments, "--locale=C.UTF-8"]
        done = subprocess.run(
            run_as(self._user, [*command, "--no-instructions"]),
            cwd="/", env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        password.unlink()
        if done.returncode != 0:
            shutil.rmtree(data, ignore_errors=True)
            raise DevstackError(f"PostgreSQL's data folder cannot be made: {' '.join(done.stderr.split())[-300:]}")
        data.rename(self._folder / "data")

    def _launch(self, folder: Path) -> None:
        data = self._folder / "data"
        port = choose_port(self._wanted_port, self._process.record.get("port", 0), "PostgreSQL", "POSTGRES_PORT")
        self._clear_leftovers(data)
        chosen = {**self._settings, "port": str(port)}
        if self._security.on:
            chosen |= settings_with_tls(self._security, self._folder, self._user)
        settings = [f"--{name}={value}" for name, value in chosen.items()]
        self._process.launch(
            [str(folder / "postgres"), "-D", str(data), *settings],
            env=environment(),
            record={"port": port},
            user=self._user,
        )

    @staticmethod
    def _clear_leftovers(data: Path) -> None:
        """Wait for what a killed server left, then remove its pid file, which may name a stranger after a reboot."""
        give_up = time.monotonic() + _LEFTOVER_SECONDS
        while any(process.info["cwd"] == str(data) for process in psutil.process_iter(["cwd"])):
            if time.monotonic() > give_up:
                raise DevstackError(f"a PostgreSQL that is not in the state file works on {data}; stop it first")
            time.sleep(0.1)
        (data / "postmaster.pid").unlink(missing_ok=True)

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            self._admin().close()
        except DevstackError:
            return False
        return True


def _address(text: str) -> str:
    try:
        return DatabaseAddress.parse(text).conninfo
    except ValueError as error:
        raise DevstackError(f"DATABASE_URL: {error}") from error
