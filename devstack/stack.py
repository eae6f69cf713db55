"""The whole stack: three servers and the services, brought up side by side, mended, stopped."""

import logging
import shutil
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from devstack.console import Console
from devstack.contracts import deploy_contracts, make_room_for_registry
from devstack.errors import DevstackError, each, in_one_line
from devstack.kafka import Kafka
from devstack.layout import Layout, keep_loopback_off_proxies, make_passable
from devstack.observer import Observer
from devstack.observers import Observers
from devstack.postgres import Postgres
from devstack.progress import READY
from devstack.registry import Registry
from devstack.security import Security
from devstack.server import Server, Tell, tell_nobody
from devstack.services import NAMES, Service
from devstack.state import State
from devstack.turns import turn
from sagakit.postgres.address import UnsupportedServer
from sagakit.postgres.migrations import migrate
from sagakit.postgres.settings import DatabaseSettings

CONTRACTS = "topics and schemas"
Part = TypeVar("Part")


class Stack:
    """One stack in one data folder."""

    def __init__(self, layout: Layout) -> None:
        """Know the stack of ``layout``; `up` starts it."""
        keep_loopback_off_proxies()
        self._layout = layout
        self._state = State(layout.data / "state.json")
        self.security = Security(layout, self._state)
        """What closes the stack, where it is closed."""
        self.kafka = Kafka(layout, self._state)
        self.registry = Registry(layout, self._state)
        self.postgres = Postgres(layout, self._state)
        """The server of all databases; where each has its own, nothing runs here."""
        self.databases: Mapping[str, Postgres] = {
            name: Postgres(layout, self._state, name) if layout.databases_apart else self.postgres for name in NAMES
        }
        """The server of each service's database."""
        self.observers = Observers(layout, self._state)
        """What watches the stack; `up` starts it where the layout asks for it."""
        self._services = {name: self._service(name) for name in NAMES}
        self.console = Console(layout, self._state)
        """What shows the stack to a browser; `up` starts it where the layout gives it a port."""
        self._replicas: list[Service] = []

    @classmethod
    def fresh(cls, data_dir: Path, *, session_seconds: float = 3.0, **shape: bool) -> "Stack":
        """Return a stack in a folder of its own with free ports, which disturbs no other.

        Its broker gives up a silent member of a group after ``session_seconds``: tests kill services, and wait that
        long each time. ``shape`` is what is true of it: ``databases_apart``, ``secure``, ``observe``, as `Layout` has
        them.
        """
        return cls(Layout.fresh(data_dir, session_seconds=session_seconds, **shape))

    @property
    def folder(self) -> Path:
        """Where the state file is, and all that the stack writes."""
        return self._layout.data

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.kafka.bootstrap

    @property
    def registry_url(self) -> str:
        """The base of the registry's Confluent-compatible API."""
        return self.registry.url

    @property
    def parts(self) -> list[Server]:
        """Every part, in the order of starting."""
        servers = [*self.database_servers, self.kafka, self.registry]
        return [*servers, *self._services.values(), *self._replicas, *self.consoles, *self.observers.parts]

    @property
    def database_servers(self) -> list[Postgres]:
        """The servers of the databases, each once."""
        return list(dict.fromkeys(self.databases.values()))

    @property
    def stale(self) -> list[str]:
        """The services, the console too, that run older code than there is now; `up` restarts them."""
        return [name for name, part in self._restartable.items() if part.is_stale]

    @property
    def state(self) -> dict[str, object]:
        """What stands in the state file."""
        return self._state.as_dict()

    @property
    def console_asks(self) -> dict[str, str]:
        """The settings that tell the console whom to ask, once the services have their ports."""
        return {
            **{f"{name.upper()}_ADDRESS": service.grpc for name, service in self._services.items()},
            **{f"{name.upper()}_METRICS": service.metrics for name, service in self._services.items()},
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "SCHEMA_REGISTRY_URL": self.registry_url,
            **self.observers.console_settings,
        }

    @property
    def consoles(self) -> list[Console]:
        """The console, where `up` starts one."""
        return [] if self._layout.console_port is None else [self.console]

    @property
    def _restartable(self) -> dict[str, Service | Console]:
        parts: list[Service | Console] = [*self._services.values(), *self.consoles]
        return {part.name: part for part in parts}

    def service(self, name: str) -> Service:
        """Return a service by its name."""
        return self._services[name]

    def replica(self, name: str) -> Service:
        """Return a second replica of a service; it has not been started yet."""
        replica = self._service(name, beside=self._services[name])
        self._replicas.append(replica)
        return replica

    def _service(self, name: str, beside: Service | None = None) -> Service:
        return Service(self._layout, self._state, name, beside=beside, login=self.databases[name].runtime_dsn)

    def up(self, tell: Tell = tell_nobody) -> None:
        """Start whatever does not run, restart what is stale, and return when everything is ready.

        Raises:
            DevstackError: something does not come up; what this call had started is stopped again.
        """
        with self._locked():
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
            self._state.closed = False
            running = self._look_at_what_runs()
            self._close_or_open(running)
            pool = ThreadPoolExecutor()
            try:
                _Start(self, pool, self._while_open(tell)).run()
            except BaseException as error:
                self._state.refuse_new()
                self._stop_all_but(running)  # what waits for one of them fails now
                pool.shutdown(cancel_futures=True)
                self._stop_all_but(running)
                if isinstance(error, OSError):
                    raise DevstackError(_unwritable(error, self._layout.data)) from error
                raise
            pool.shutdown()

    def restart(self, names: Collection[str], tell: Tell = tell_nobody) -> None:
        """Restart services or the console, all where ``names`` is empty, and return when they are ready.

        Raises:
            DevstackError: there is none of that name, or it was never started, or a server that it needs does not run,
                or it does not come up.
        """
        servers = [*self.database_servers, self.kafka, self.registry]
        if alone := [server.name for server in servers if server.name in names]:
            raise DevstackError(f"{alone[0]} cannot be restarted alone; make down and make up restart everything")
        services = _chosen(self._restartable, names or list(self._restartable))
        with self._locked():
            self._look_at_what_runs()
            if away := [server.name for server in servers if server.pid is None and not server.external]:
                what = "the stack" if len(away) == len(servers) else away[0]
                raise DevstackError(f"{what} does not run; make up starts it")
            if unknown := [service.name for service in services if not service.record]:
                raise DevstackError(f"{unknown[0]} was never started; make up starts everything")
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda service: self._restart(service, tell), services))

    def stop(self, names: Collection[str], tell: Tell = tell_nobody) -> None:
        """Stop parts of the stack; the others go on. Of a part that is not stopped, tell why.

        Raises:
            DevstackError: there is none of that name.
        """
        parts = _chosen({part.name: part for part in self.parts}, names)
        with self._locked():
            for part in parts:
                if part.external:
                    tell(part.name, "is somebody else's, and goes on")
                elif part.pid is None:
                    tell(part.name, "does not run")
                else:
                    self._stop(part, tell)

    def down(self, tell: Tell = tell_nobody) -> None:
        """Stop everything, the services first; the data stay."""
        if not self._layout.data.exists():
            return
        with self._locked():
            ours = [*self.observers.parts, self.console, *self._services.values(), *self._replicas]
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda part: self._stop(part, tell), ours))
            for part in (self.registry, self.kafka, *self.database_servers):
                self._stop(part, tell)

    def remove_databases(self) -> None:
        """Remove the databases' data, which as root may lie outside of the stack's folder; nothing runs on them."""
        for server in self.database_servers:
            server.remove()

    def purge(self) -> None:
        """Stop everything and remove the data."""
        self.down()
        self.remove_databases()
        shutil.rmtree(self._layout.data, ignore_errors=True)

    def _look_at_what_runs(self) -> set[str]:
        """Let services keep their ports where anything of the stack runs; return the names of what runs.

        Raises:
            DevstackError: it runs closed, and what it goes by is gone.
        """
        running = {part.name for part in self.parts if part.pid is not None}
        if running:
            self.security.must_be_whole()
            for service in self._services.values():
                service.keep_ports()
            self.console.keep_port()
        return running

    def _close_or_open(self, running: set[str]) -> None:
        """Let everything be closed from now on, or open, as the layout says.

        Raises:
            DevstackError: some of it runs the other way.
        """
        wanted = self._layout.secure
        if running and wanted != self.security.on:
            text = f"the stack runs {'without' if wanted else 'with'} SECURE=1; make down stops it, then start it anew"
            raise DevstackError(text)
        if wanted:
            if foreign := [server.name for server in self.parts if server.external]:
                raise DevstackError(f"SECURE=1 closes the stack's own servers, and {foreign[0]} is somebody else's")
            self.security.begin()
        else:
            self.security.end()

    def _while_open(self, tell: Tell) -> Tell:
        """Return ``tell``, but ending whoever still tells after the start was given up: a long download, say."""

        def tell_or_end(name: str, doing: str) -> None:
            if self._state.closed:
                raise DevstackError("given up")
            tell(name, doing)

        return tell_or_end

    def _stop_all_but(self, running: set[str]) -> None:
        for part in reversed(self.parts):
            if part.name not in running:
                part.stop()

    @staticmethod
    def _stop(part: Server, tell: Tell) -> None:
        if part.pid is not None:
            tell(part.name, "stopping")
            part.stop()
            tell(part.name, "stopped")

    @classmethod
    def _restart(cls, service: Service | Console, tell: Tell) -> None:
        cls._stop(service, tell)
        service.start(partial(tell, service.name))
        tell(service.name, READY)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one start or stop of this stack happen at a time."""
        try:
            make_passable(self._layout.data)
            lock = (self._layout.data / "lock").open("a+")  # what another command has written there stays
        except OSError as error:
            raise DevstackError(_unwritable(error, self._layout.data)) from error
        with lock, turn(lock):
            self._state.reload()
            yield


class _Start:
    """One start of a stack: the servers side by side, then what stands on them, the services last."""

    def __init__(self, stack: Stack, pool: ThreadPoolExecutor, tell: Tell) -> None:
        self._stack, self._pool, self._tell = stack, pool, tell

    def run(self) -> None:
        services = [self._stack.service(name) for name in NAMES]
        listeners: list[Service | Console | Observer]
        listeners = [*services, *self._stack.consoles, *self._stack.observers.parts]
        # First of all, so that whatever is in the way is told at once.
        each(*(partial(listener.check_ports, partial(self._tell, listener.name)) for listener in listeners))
        archive = self._pool.submit(self._stack.registry.prepare, partial(self._tell, "registry"))
        built = [self._pool.submit(one.prepare, partial(self._tell, one.name)) for one in self._stack.observers.parts]
        databases = self._pool.submit(self._start_databases)
        kafka = self._pool.submit(self._start, self._stack.kafka)
        _wait_for(archive, databases, kafka, *built)
        if self._stack.security.on:
            make_room_for_registry(self._stack.security, self._stack.bootstrap)
        self._stack.registry.launch(self._stack.bootstrap, partial(self._tell, "registry"))
        registry = self._pool.submit(self._start, self._stack.registry)
        self._stack.observers.launch_viewer(self._tell)
        for service in services:  # they wait for topics and schemas by themselves
            dsn = self._stack.databases[service.name].dsn(service.name)
            servers = dsn, self._stack.bootstrap, self._stack.registry_url
            if not service.is_current(*servers):
                self._tell(service.name, "starting")
                service.launch(*servers)
        for console in self._stack.consoles:
            console.launch(self._stack.console_asks, partial(self._tell, console.name))
        self._stack.observers.launch_prometheus({service.name: service.metrics for service in services}, self._tell)
        _wait_for(registry)
        self._tell(CONTRACTS, "making topics, registering schemas")
        deploy_contracts(self._stack.security, self._stack.bootstrap, self._stack.registry_url)
        self._tell(CONTRACTS, READY)
        _wait_for(*(self._pool.submit(self._wait_ready, listener) for listener in listeners))

    def _start(self, server: Server) -> None:
        server.start(partial(self._tell, server.name))
        self._tell(server.name, READY)

    def _start_databases(self) -> None:
        for server in self._stack.database_servers:  # one by one: Alembic migrates one database at a time
            self._start_database(server)

    def _start_database(self, postgres: Postgres) -> None:
        postgres.start(partial(self._tell, postgres.name))
        self._tell(postgres.name, "making databases")
        names = [name for name, server in self._stack.databases.items() if server is postgres]
        postgres.create_databases(names)
        postgres.create_runtime_roles(names)
        for name in names:
            read = DatabaseSettings.model_validate({"database_url": postgres.dsn(name)})
            try:
                migrate(name, read.database_url, postgres.runtime_role(name))
            except (SQLAlchemyError, psycopg.Error, UnsupportedServer) as error:
                raise DevstackError(f"{name}'s database cannot be migrated: {in_one_line(error)}") from error
        self._tell(postgres.name, READY)

    def _wait_ready(self, service: Service | Console | Observer) -> None:
        service.wait_ready()
        self._tell(service.name, READY)


def _chosen(known: Mapping[str, Part], names: Collection[str]) -> list[Part]:
    """Return what ``names`` name.

    Raises:
        DevstackError: one names nothing.
    """
    if unknown := [name for name in names if name not in known]:
        raise DevstackError(f"there is no {unknown[0]}; there are {', '.join(known)}")
    return [known[name] for name in names]


def _wait_for(*futures: Future[None]) -> None:
    """Wait for all of ``futures``, or until one of them fails."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _unwritable(error: OSError, data: Path) -> str:
    return f"cannot write to {error.filename or data}: {error.strerror}; DEVSTACK_DATA=… names another folder"
