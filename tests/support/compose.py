"""compose.yaml without an engine: its services as processes of this machine, on real servers that devstack starts.

What a container would run is run, with its own environment, once what it depends on is done or healthy. Only names and
ports differ, as nothing here has a network of its own: `kafka:19092` is where that server listens here.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import yaml
from psycopg import sql

from devstack.kafka import Kafka
from devstack.layout import Layout
from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.programs import programs
from devstack.registry import Registry
from devstack.state import State
from tests.support.wait import eventually
from tools.paths import ROOT

FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
SERVERS = ("postgres", "kafka", "registry")
DONE, HEALTHY = "service_completed_successfully", "service_healthy"
_ADDRESS = re.compile(r"\b(?P<host>[a-z][a-z-]*):(?P<port>[0-9]{4,5})\b")
_OWN = re.compile(r"(?<=0\.0\.0\.0:)[0-9]+|(?<=/dev/tcp/127\.0\.0\.1/)[0-9]+")


def needs(name: str) -> dict[str, str]:
    """Return what a service depends on, and the condition that it waits for."""
    given = SERVICES[name].get("depends_on", {})
    if isinstance(given, list):
        return dict.fromkeys(given, "service_started")
    return {other: one["condition"] for other, one in given.items()}


def in_order() -> Iterator[str]:
    """Yield the services, each after what it depends on."""
    left = dict.fromkeys(SERVICES)
    while left:
        ready = [name for name in left if not needs(name).keys() & left.keys()]
        assert ready, "they wait for each other"
        for name in ready:
            yield name
            del left[name]


def entrypoint(service: Mapping[str, Any]) -> list[str]:
    """Return what the image of a service of ours runs, as the Dockerfile has it, or what the service has instead."""
    if "entrypoint" in service:
        return [*service["entrypoint"]]
    package = re.sub(r".*/([a-z]+)-svc:.*", r"\1_svc", service["image"])
    return ["python", "-m", package]


class Composed:
    """Everything that compose.yaml starts."""

    def __init__(self, folder: Path) -> None:
        """Keep data and logs in ``folder``."""
        layout, state = Layout.fresh(folder), State(folder / "state.json")
        self._folder = folder
        self._postgres, self._kafka = Postgres(layout, state), Kafka(layout, state)
        self._registry = Registry(layout, state)
        self._ports: dict[tuple[str, int], int] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._once: dict[str, subprocess.Popen[bytes]] = {}

    def start_servers(self) -> None:
        """Start the three servers, with the password that compose.yaml gives PostgreSQL's superuser."""
        self._postgres.start()
        password = SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
        with psycopg.connect(self._postgres.dsn("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
        self._kafka.start()
        self._registry.launch(self._kafka.bootstrap)
        self._registry.start()
        addresses = (self._postgres.address, self._kafka.bootstrap, urlsplit(self._registry.url).netloc)
        for server, port, address in zip(SERVERS, (5432, 19092, 8080), addresses, strict=True):
            self._ports[server, port] = int(address.rpartition(":")[2])

    def up(self) -> None:
        """Do what `docker compose up --wait` does: do what is done once, start the rest, wait until it is healthy."""
        for name in in_order():
            if name in SERVERS:
                continue
            for other, condition in needs(name).items():
                if condition == HEALTHY:
                    self.wait_healthy(other)
                elif condition == DONE:
                    assert self._once[other].wait(100) == 0, self.log(other)
            if "healthcheck" not in SERVICES[name]:
                self._once[name] = self._launch(name)
            elif name not in self._running:
                self._running[name] = self._launch(name)
        for name in self._running:
            self.wait_healthy(name)

    def stop(self, name: str) -> None:
        """Stop one service of ours."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(30)

    def down(self) -> None:
        """Stop everything, and remove what lies outside of the folder."""
        for process in self._once.values():  # those that a failure has left waiting
            process.kill()
            process.wait()
        for name in list(self._running):
            self.stop(name)
        for server in (self._registry, self._kafka, self._postgres):
            server.stop()
        self._postgres.remove()

    def port(self, name: str, port: int) -> int:
        """Return the port here that stands for ``port`` of the service's container."""
        return self._ports.setdefault((name, port), free_port())

    def move(self, name: str, port: int, here: int) -> None:
        """Let ``here`` stand for ``port`` of the service's container from now on."""
        self._ports[name, port] = here

    def healthy(self, name: str) -> bool:
        """Run the service's health check; say whether it is content."""
        _, *command = SERVICES[name]["healthcheck"]["test"]
        words = [self._here(name, word) for word in command]
        if name == "postgres":
            words.append(f"--port={self.port(name, 5432)}")
        try:  # as long as the engine waits
            done = subprocess.run(words, env=self._environment(name), capture_output=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def wait_healthy(self, name: str) -> None:
        """Wait until the service is healthy."""

        def is_healthy() -> None:
            assert self.healthy(name), self.log(name)

        eventually(is_healthy, timeout=60, every=0.5)

    def line(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as `docker compose exec order-svc ordersaga` does."""
        command = [sys.executable, "-m", "ordersaga_cli", *arguments]
        return subprocess.run(
            command,
            env=self._environment("order-svc"),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def log(self, name: str) -> str:
        """Return what a service of ours has said."""
        file = self._folder / f"{name}.log"
        return file.read_text() if file.exists() else name

    def _launch(self, name: str) -> "subprocess.Popen[bytes]":
        service = SERVICES[name]
        words = [self._here(name, word) for word in service.get("command", ())]
        command = words if service["image"].startswith("postgres:") else [*entrypoint(service), *words]
        if command[0] == "python":
            command[0] = sys.executable
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=self._environment(name), cwd=ROOT, stdout=log, stderr=log)

    def _environment(self, name: str) -> dict[str, str]:
        given = {key: self._here(name, str(value)) for key, value in SERVICES[name].get("environment", {}).items()}
        if "PGHOST" in given:
            given |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.port("postgres", 5432))}
        path = f"{self._programs}:{os.environ['PATH']}"
        return {"PATH": path, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "HOME": str(self._folder), **given}

    @cached_property
    def _programs(self) -> Path:
        """Where psql and pg_isready are."""
        return programs(self._folder / "programs", None)

    def _here(self, name: str, text: str) -> str:
        """Return ``text`` with the addresses of this machine, and with what Compose makes of two dollars."""

        def other(found: re.Match[str]) -> str:
            if found["host"] not in SERVICES:
                return found[0]
            return f"127.0.0.1:{self.port(found['host'], int(found['port']))}"

        moved = _OWN.sub(lambda own: str(self.port(name, int(own[0]))), _ADDRESS.sub(other, text))
        return moved.replace("0.0.0.0:", "127.0.0.1:").replace("$$", "$")
