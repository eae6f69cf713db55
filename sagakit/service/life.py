"""Runs a service: starts its parts in order, reports readiness, and stops them in order at SIGTERM.

Ready means: the database answers and takes writes, and topics and schemas were found at the start. Kafka need not be
there, because calls are accepted while it is away.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import psycopg
import uvloop
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from sqlalchemy.exc import SQLAlchemyError

from sagakit.avro.codec import Codec
from sagakit.avro.renewed_registry import RenewedRegistry
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handle
from sagakit.dead_letters.letter import REASONS, topic_of
from sagakit.errors import Unavailable
from sagakit.families import passes
from sagakit.kafka import group_owner
from sagakit.kafka.producer import Producer
from sagakit.kafka.settings import KafkaSettings
from sagakit.postgres.address import UnsupportedServer
from sagakit.postgres.database import Database
from sagakit.postgres.migrations import migrate_when_up
from sagakit.postgres.poolers import must_keep_sessions
from sagakit.postgres.settings import MigrationSettings
from sagakit.rpc.scopes import MethodWithoutScope
from sagakit.rpc.server import Api, RpcServer
from sagakit.runtime import logs, metrics, metrics_server, settings
from sagakit.runtime.loop_lag import watch_loop
from sagakit.runtime.periodic import Periodic
from sagakit.runtime.tls_files import UnusableFiles
from sagakit.service.manifest import Manifest
from sagakit.service.settings import ServiceSettings
from sagakit.tracing import setup as tracing

log = logs.logger("service")

_CHECK_SECONDS = 1.0
_FLUSH_SECONDS = 5.0
_API_CONNECTIONS = 10
_PASSING = ("Unavailable", "OperationalError", "KafkaException")
"""The usual errors for which a batch is done again."""
_SCHEMAS_SECONDS = 30.0
"""How often schema ids are looked up again: a rebuilt registry has others."""
_COLLECT_EVERY = 50_000
"""Allocations between two garbage collections. A batch makes thousands of objects and drops them all; Python's default
of 700 would search them again and again."""

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


class Background(Protocol):
    """A part of the service that runs in a thread of its own."""

    def start(self) -> None:
        """Start the thread."""

    def stop(self) -> None:
        """Stop it; return when it has ended."""


@dataclass(frozen=True)
class Parts(Generic[SettingsT]):
    """The parts that a service is wired from."""

    settings: SettingsT
    database: Database
    codec: Codec
    producer: Producer


@dataclass(frozen=True)
class Wiring:
    """What a service does: its APIs, what it does with messages, and what else runs."""

    apis: Sequence[Api]
    handle: Handle
    reasons: Sequence[str] = ()
    """Why the handlers park messages, beside `REASONS`, so that these are counted from zero as well."""
    prepare: Callable[[], None] | None = None
    """Called before anything is consumed, again and again until it does not raise."""
    background: Sequence[Background] = ()
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    drain: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Awaited once no call is under way any more, before the producer is closed."""


def main(
    manifest: Manifest,
    kind: type[SettingsT],
    wire: Callable[[Parts[SettingsT]], Wiring],
) -> None:
    """Run the service of ``manifest``, or with the argument ``migrate`` upgrade its database.

    Args:
        manifest: what the service is.
        kind: the settings to read from the environment.
        wire: makes the service from its parts.

    Raises:
        SystemExit: 0 after a stop, 1 after a failure or for bad arguments, 2 for bad settings.
    """
    name = manifest.name
    if sys.argv[1:] == ["migrate"]:
        database = settings.read(MigrationSettings)
        logs.configure(name, "INFO", "auto")
        try:
            migrate_when_up(name, database.database_url, database.database_runtime_role)
        except (SQLAlchemyError, psycopg.Error, UnsupportedServer) as error:
            sys.exit(f"not migrated: {logs.one_line(error)}")
        return
    if sys.argv[1:]:
        sys.exit(f"usage: python -m {name} [migrate]")
    read = settings.read(kind)
    logs.configure(name, read.log_level, read.log_format)
    try:
        tracing.begin(name)
    except ValueError as error:
        log.critical("cannot trace", reason=str(error))
        sys.exit(2)
    version, _, revision = read.service_version.partition("+")
    metrics.BUILD.labels(version, revision).set(1)
    _let_threads_finish()
    ended = uvloop.run(_Running(manifest, read, wire).run())
    tracing.end()
    sys.exit(ended)


def _let_threads_finish() -> None:
    """Keep a thread of ours that wakes up from interrupting one that runs.

    A gRPC call wakes several threads, each for a few microseconds: under load they interrupted the event loop 14,000
    times a second. Linux only (``SCHED_BATCH``, sched(7)); it needs no privilege, and other systems do without.
    """
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class _Running(Generic[SettingsT]):
    """One service from start to stop."""

    def __init__(
        self,
        manifest: Manifest,
        read: SettingsT,
        wire: Callable[[Parts[SettingsT]], Wiring],
    ) -> None:
        self._manifest, self._settings, self._wire = manifest, read, wire
        self._stopping = asyncio.Event()
        self._failure: str | None = None

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, and return 0; after a failure return 1."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._parts = self._make_parts()
        try:
            wiring = self._wire(self._parts)
        except MethodWithoutScope as error:
            log.critical("cannot serve", reason=str(error))
            return 1
        _begin_counting(self._manifest, wiring.reasons)
        try:
            self._server = RpcServer(self._settings, wiring.apis)
        except (UnusableFiles, RuntimeError) as error:
            log.critical("cannot listen for gRPC", error=str(error))
            return 1
        try:
            metrics_server.serve(self._settings.metrics_listen, self._settings.metrics_tls_files())
        except (OSError, UnusableFiles) as error:
            log.critical("cannot serve metrics", address=str(self._settings.metrics_listen), error=str(error))
            return 1
        await self._server.start()
        log.info("started", grpc=str(self._settings.grpc_listen), metrics=str(self._settings.metrics_listen))
        consumer = self._make_consumer(wiring)
        schemas = Periodic("schemas", self._refresh_schemas, interval_seconds=_SCHEMAS_SECONDS)
        background = (consumer, *wiring.background, schemas)
        tasks = [asyncio.create_task(task()) for task in (watch_loop, *wiring.tasks)]
        if (
            await self._wait_for_database()
            and await self._wait_for_contracts()
            and (wiring.prepare is None or await self._wait_for(wiring.prepare))
        ):
            for part in background:
                part.start()
            # All objects so far live as long as the process: the collector need not look at them again.
            gc.freeze()
            gc.set_threshold(_COLLECT_EVERY)
            await self._report_readiness(consumer)
        await self._stop(background, wiring, tasks)
        return 1 if self._failure else 0

    def _make_parts(self) -> Parts[SettingsT]:
        return Parts(
            self._settings,
            Database(self._settings.database_url, _API_CONNECTIONS),
            Codec(RenewedRegistry(self._settings), (*self._manifest.reads, *self._manifest.writes)),
            Producer(self._settings.kafka_client(), self._fail),
        )

    def _refresh_schemas(self) -> bool:
        self._parts.codec.refresh()
        return False

    def _make_consumer(self, wiring: Wiring) -> Consumer:
        return Consumer(
            self._settings.kafka_client(),
            self._manifest.name,
            self._manifest.topics,
            wiring.handle,
            codec=self._parts.codec,
            database=self._parts.database,
            producer=self._parts.producer,
            batch_size=self._settings.consumer_batch_size,
            on_crash=self._fail,
        )

    def _fail(self, reason: str) -> None:
        """End the process; any thread may call this."""
        log.critical("cannot go on", reason=reason)
        self._failure = reason
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def _wait_for_database(self) -> bool:
        """Wait until the database answers; return False where this version cannot work with it."""
        return await self._wait_for(lambda: must_keep_sessions(self._settings.database_url))

    async def _wait_for_contracts(self) -> bool:
        """Wait until topics and schemas exist, and the consumer group is ours.

        Before that no message can be encoded, so nothing gets into the topics of another installation.
        """
        wanted = {group_owner.TOPIC, *self._manifest.topics, *(record.TOPIC for record in self._manifest.writes)}

        def load() -> None:
            self._parts.codec.load()
            self._parts.producer.learn_partitions()

        return (
            await self._wait_for(lambda: _must_exist(self._settings, wanted))
            and await self._wait_for(self._claim_group)
            and await self._wait_for(load)
        )

    def _claim_group(self) -> None:
        with self._parts.database.transaction() as tx:
            (row,) = tx.execute("SELECT installation_id FROM installation").fetchall()
        group_owner.claim(self._settings.kafka_client(), self._manifest.name, str(row.installation_id))

    async def _wait_for(self, look: Callable[[], None]) -> bool:
        """Wait until ``look`` does not raise; return False where the service has to stop before."""
        logged = ""
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(look)
            except (UnsupportedServer, group_owner.ClaimedElsewhere) as error:
                self._fail(str(error))
                return False
            except Exception as error:
                if not passes(error):
                    raise
                if (reason := logs.one_line(error)) != logged:
                    logged = reason
                    log.warning("waiting", reason=reason)
                await self._pause()
            else:
                return True
        return False

    async def _report_readiness(self, consumer: Consumer) -> None:
        was, lives = None, True
        while not self._stopping.is_set():
            if lives == consumer.calls_for_restart:
                lives = not lives
                log.warning("alive" if lives else "not alive: a restart may end the halt")
                await self._server.set_alive(alive=lives)
            ready = await self._database_takes_writes() and consumer.state == "running"
            if ready != was:
                log.info("ready" if ready else "not ready")
                await self._server.set_ready(ready=ready)
                metrics.READY.set(ready)
                was = ready
            await self._pause(0.05 if consumer.state == "starting" else _CHECK_SECONDS)

    async def _database_takes_writes(self) -> bool:
        try:
            async with asyncio.timeout(_CHECK_SECONDS * 3):
                writable = await self._parts.database.is_writable()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
            log.warning("the database does not answer", error=logs.one_line(error))
            return False
        if not writable:  # a standby after a failover: a new connection may reach the server that has taken over
            log.warning("the database is read-only")
            self._parts.database.connect_anew()
        return writable

    async def _pause(self, seconds: float = _CHECK_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _stop(
        self, background: Sequence[Background], wiring: Wiring, tasks: Sequence[asyncio.Task[None]]
    ) -> None:
        log.info("stopping")
        metrics.READY.set(0)
        await self._server.stop(self._settings.shutdown_grace_seconds)
        for part in background:
            await asyncio.to_thread(part.stop)
        if wiring.drain:
            await wiring.drain()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._parts.producer.close, _FLUSH_SECONDS)
        self._parts.database.close()
        log.info("stopped")


def _begin_counting(manifest: Manifest, reasons: Sequence[str]) -> None:
    consumed, published = manifest.topics, {record.TOPIC for record in manifest.writes}
    metrics.begin_at_zero(metrics.CONSUMED, consumed)
    metrics.begin_at_zero(metrics.PUBLISHED, published | {topic_of(manifest.name)})
    metrics.begin_at_zero(metrics.DEAD_LETTERS, consumed, (*REASONS, *reasons))
    metrics.begin_at_zero(metrics.REWOUND, _PASSING)


def _must_exist(kafka: KafkaSettings, wanted: set[str]) -> None:
    try:
        found = AdminClient(kafka.kafka_client()).list_topics(timeout=5).topics
    except KafkaException as error:
        msg = f"Kafka cannot be reached at {kafka.kafka_bootstrap_servers} ({error})"
        raise Unavailable(msg) from error
    missing = sorted(wanted - set(found))
    if missing:
        msg = f"topics do not exist yet: {', '.join(missing)}"
        raise Unavailable(msg)
