"""Faults by strangers on the same Kafka: transactions in our topics, a registry made anew, a second installation."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from random import Random

import psycopg
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from devstack.layout import ROOT
from devstack.ports import free_port
from devstack.security import DEPLOYER
from devstack.stack import Stack
from tests.chaos.evidence import READERS, SERVICES, Overdue, Record
from tests.chaos.harness import SHORT_TIMES
from tests.chaos.recorder import Recorder
from tests.chaos.stage import Stage
from tests.support import trust

_HEARD_IN_TIME_SECONDS = 5.0
"""By how much a deadline may have passed: the timers look every second, and a busy machine is slow."""
_TRANSACTION_MS = 30_000
_ALONE_SECONDS = 4.0
"""How long our own replicas are down: a service is up in two or three seconds."""
_STEP_SECONDS = 60


@contextmanager
def transactions(stage: Stage, random: Random) -> Iterator[str]:
    """End partitions with the markers of a stranger's transactions, and leave one open, while product_svc is silent.

    All that was written lies handled, but for what no reader is shown: the sagas must be asked again all the same.
    """
    known = [r for r in list(stage.recorder.tape.records) if READERS[r.place.topic] == "orchestrator_svc" and r.type]
    known = [record for record in known if record.message_id not in stage.recorder.evidence.forged]
    members = stage.members("product_svc")
    with stage.supervisor.held(*members):
        for member in members:
            member.stop()
        with strange_transactions(stage.stack.bootstrap, random, known):
            yield "transaction markers end partitions that the sagas read, one transaction is open; product_svc is down"
            note_overdue(stage.recorder)


@contextmanager
def strange_transactions(bootstrap: str, random: Random, known: Sequence[Record]) -> Iterator[None]:
    """Write records of ``known`` again in a transaction that is committed, one that is aborted and one that stays open.

    The first two reach every partition of their topics, the third one of each, and it ends afterwards.
    """
    committed, aborted, left_open = (_stranger(bootstrap) for _ in range(3))
    for stranger, everywhere in ((committed, True), (aborted, True), (left_open, False)):
        stranger.begin_transaction()
        _write_in(stranger, random, known, everywhere=everywhere)
    committed.commit_transaction(10)
    aborted.abort_transaction(10)
    try:
        yield
    finally:
        with suppress(KafkaException):  # the broker ends it by itself in half a minute
            left_open.abort_transaction(10)


def _stranger(bootstrap: str) -> Producer:
    settings = {"transactional.id": f"stranger-{uuid.uuid4()}", "transaction.timeout.ms": _TRANSACTION_MS}
    producer = Producer({**trust.kafka(bootstrap), "log_level": 0, **settings})
    producer.init_transactions(30)
    return producer


def _write_in(stranger: Producer, random: Random, known: Sequence[Record], *, everywhere: bool) -> None:
    """Write to each topic of ``known`` what lies in it already, in one partition or ``everywhere``."""
    for topic in sorted({record.place.topic for record in known}):
        partitions = sorted(stranger.list_topics(topic, timeout=10).topics[topic].partitions)
        for partition in partitions if everywhere else [random.choice(partitions)]:
            again = random.choice([record for record in known if record.place.topic == topic])
            stranger.produce(topic, again.value, again.key, partition, headers=list(again.headers.items()))
    stranger.flush(10)


def note_overdue(recorder: Recorder) -> None:
    """Note the sagas whose deadline has passed for long now."""
    passed = "extract(epoch FROM clock_timestamp() - deadline)::float"
    under_way = "status IN ('RUNNING', 'COMPENSATING')"
    with recorder.reader.connect("orchestrator_svc") as sagas:
        found = sagas.execute(
            f"SELECT saga_id, {passed} FROM sagas WHERE {under_way} AND {passed} > {_HEARD_IN_TIME_SECONDS}".encode()  # noqa: S608 - constants
        )
        recorder.evidence.overdue += [Overdue(*row) for row in found]


@contextmanager
def registry_rebuilt(stage: Stage, random: Random) -> Iterator[str]:
    """Lose all that the registry knows, and register it anew, behind strangers' schemas: every id means another type.

    Then a service starts again, which knows the new ids alone; the others know the old ones.
    """
    registry, strangers = stage.server("registry"), random.randint(1, 5)
    with stage.supervisor.held(registry), stage.recorder.tape.relearning(stage.stack.registry_url):
        registry.stop()
        _forget(stage.stack.bootstrap)
        registry.start()
        with SchemaRegistryClient(trust.registry(stage.stack.registry_url)) as client:
            for number in range(strangers):
                schema = f'{{"type": "record", "name": "Stranger{number}", "fields": []}}'
                client.register_schema(f"stranger-{number}", Schema(schema, "AVRO"))
        _run(stage.stack, stage.stack.security.settings(DEPLOYER), "-m", "sagakit.service.deploy", "schemas")
    victim = random.choice(stage.members(random.choice(SERVICES)))
    with stage.supervisor.held(victim):
        victim.stop()
    yield f"the registry was lost and made anew, {strangers} ids later; {victim.name} starts again"


def _forget(bootstrap: str) -> None:
    admin = AdminClient({**trust.kafka(bootstrap), "log_level": 0})
    stored = [topic for topic in admin.list_topics(timeout=10).topics if "kafkasql" in topic or "registry" in topic]
    for future in admin.delete_topics(stored, operation_timeout=15).values():
        future.result(20)


@contextmanager
def second_installation(stage: Stage, random: Random) -> Iterator[str]:
    """Start a service of another installation, with a database of its own, on our Kafka by mistake.

    Sometimes ours is down just then: the group is empty, and still ours.
    """
    service, alone = random.choice(SERVICES), random.random() < 0.5
    ours = stage.members(service) if alone else []
    with strange_database(stage.stack, service) as dsn, ExitStack() as started:
        with stage.supervisor.held(*ours):
            for member in ours:
                member.stop()
            started.enter_context(strange_service(stage.stack, service, dsn, "-m", service))
            time.sleep(_ALONE_SECONDS if alone else 0)
        yield f"a {service} of another installation starts{', while ours is down' if alone else ''}"


@contextmanager
def strange_database(stack: Stack, service: str) -> Iterator[str]:
    """Make a database for a ``service`` of another installation; return its address, and drop it afterwards."""
    name, server = f"{service}_of_others", stack.databases[service]
    server.create_databases([name])
    dsn = server.dsn(name)
    try:
        _run(stack, {"DATABASE_URL": dsn}, "-m", service, "migrate")
        yield dsn
    finally:
        with psycopg.connect(server.dsn("postgres"), autocommit=True, connect_timeout=5) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@contextmanager
def strange_service(stack: Stack, service: str, dsn: str, *program: str, **settings: str) -> Iterator[None]:
    """Run a ``service`` of another installation as Python's ``program`` meanwhile; it may end by itself."""
    listens = {"GRPC_LISTEN": f"127.0.0.1:{free_port()}", "METRICS_LISTEN": f"127.0.0.1:{free_port()}"}
    ours = {**_environment(stack), **stack.security.service_settings(service), **SHORT_TIMES}
    environment = {**ours, **listens, **settings, "DATABASE_URL": dsn}
    with stack.service(service).log.with_name(f"{service}_of_others.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, *program], env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _run(stack: Stack, settings: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        env={**_environment(stack), **settings}, cwd=ROOT, check=True, capture_output=True, timeout=_STEP_SECONDS,
    )  # fmt: skip


def _environment(stack: Stack) -> Mapping[str, str]:
    servers = {"KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap, "SCHEMA_REGISTRY_URL": stack.registry_url}
    return {**os.environ, "LOG_FORMAT": "json", **servers}
