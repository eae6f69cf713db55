"""The services as processes."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ordersaga_client import token_in_file, with_token

from devstack.collector import Collector
from devstack.errors import each
from devstack.layout import MANIFESTS, ROOT, Layout, grpc_variable, metrics_variable
from devstack.ports import choose_port
from devstack.processes import ManagedProcess
from devstack.revision import version
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State

NAMES = tuple(MANIFESTS)
_READY_SECONDS = 60
_STOP_SECONDS = 30
_OURS = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "GRPC_LISTEN", "METRICS_LISTEN")


class Service(Server):
    """One of the services, or a second replica of one."""

    def __init__(
        self,
        layout: Layout,
        state: State,
        module: str,
        *,
        beside: "Service | None" = None,
        login: Callable[[str], str] = str,
    ) -> None:
        """Run ``module``; a second replica runs ``beside`` the first, with ports and a record of its own.

        ``login`` returns the address with which it logs in to its database, from that of the database's owner.
        """
        self.module = module
        name = module if beside is None else f"{module}-2"
        super().__init__(ManagedProcess(state, name, layout.logs / f"{name}.log", service=True), _STOP_SECONDS)
        self._beside, self._login = beside, login
        self._security, self._collector = Security(layout, state), Collector(layout, state)
        self._wanted_grpc = layout.grpc_ports.get(self.name, 0)
        self._wanted_metrics = layout.metrics_ports.get(self.name, 0)

    @property
    def grpc(self) -> str:
        """Where its API is, ``host:port``; empty before the first start."""
        return str(self._process.record.get("grpc", ""))

    address = grpc

    @property
    def record(self) -> dict[str, Any]:
        """What the state file says of it."""
        return self._process.record

    @property
    def metrics(self) -> str:
        """Where its metrics are, ``host:port``."""
        return str(self._process.record.get("metrics", ""))

    @property
    def dsn(self) -> str:
        """Its database's address with the owner's login, for psycopg and psql; the service has a login of its own."""
        return str(self._process.record.get("dsn", ""))

    @property
    def is_stale(self) -> bool:
        """Whether it runs, and its code has changed since it was started."""
        return self.pid is not None and self.record.get("code") != _fingerprint(self.module)

    def is_current(self, dsn: str, bootstrap: str, registry_url: str) -> bool:
        """Say whether it runs the code of now, on these servers, so that `launch` leaves it alone."""
        servers = {"dsn": dsn, "bootstrap": bootstrap, "registry": registry_url, "tracing": self._collector.settings}
        on_these = all(self.record.get(name) == address for name, address in servers.items())
        return self.pid is not None and on_these and not self.is_stale

    def keep_ports(self) -> None:
        """Listen where it did the last time, unless the environment says otherwise: the stack around it still runs."""
        if self._wanted_grpc and not os.environ.get(grpc_variable(self.name)):
            self._wanted_grpc = self._port_of(self.record.get("grpc")) or self._wanted_grpc
        if self._wanted_metrics and not os.environ.get(metrics_variable(self.name)):
            self._wanted_metrics = self._port_of(self.record.get("metrics")) or self._wanted_metrics

    def check_ports(self, progress: Progress = quiet) -> None:
        """Check that it can listen where it is told to, unless it runs already.

        Raises:
            DevstackError: a port is in use, and stays so, or both are.
        """
        if self.pid is None:
            each(partial(self._choose_grpc, progress), partial(self._choose_metrics, progress))

    def launch(
        self,
        dsn: str,
        bootstrap: str,
        registry_url: str,
        extra_env: Mapping[str, str] | None = None,
        *,
        program: Sequence[str] = (),
    ) -> None:
        """Start the process where it does not run, or runs older code, without waiting until it is ready.

        Args:
            dsn: its database, with the owner's login.
            bootstrap: Kafka.
            registry_url: the schema registry.
            extra_env: settings beside the addresses.
            program: what Python runs instead of the service's own module: a test build of it, say.
        """
        if self.is_current(dsn, bootstrap, registry_url):
            return
        servers = {"dsn": dsn, "bootstrap": bootstrap, "registry": registry_url, "tracing": self._collector.settings}
        self.stop()  # where it runs older code, or on servers that have moved
        port, metrics = self._choose_grpc(quiet), self._choose_metrics(quiet)
        addresses = {"grpc": f"127.0.0.1:{port}", "metrics": f"127.0.0.1:{metrics}"}
        settings = dict(
            zip(
                _OURS, (self._login(dsn), bootstrap, registry_url, addresses["grpc"], addresses["metrics"]), strict=True
            )
        )
        environment = {
            **os.environ,
            "LOG_FORMAT": "json",
            **self._collector.settings,
            "SERVICE_VERSION": version(),
            **settings,
            **self._security.service_settings(self.module),
            **(extra_env or {}),
        }
        self._process.launch(
            [sys.executable, *(program or ("-m", self.module))],
            env=environment,
            record={**addresses, **servers, "code": _fingerprint(self.module)},
            cwd=ROOT,
        )

    def start(
        self,
        progress: Progress = quiet,
        extra_env: Mapping[str, str] | None = None,
        *,
        program: Sequence[str] = (),
    ) -> None:
        """Start it again, on the servers it was on, where it does not run; return when it is ready.

        ``extra_env`` and ``program`` are those of `launch`.
        """
        progress("starting")
        record = self.record or (self._beside.record if self._beside else {})
        self.check_ports(progress)  # here it is told what is waited for
        self.launch(record["dsn"], record["bootstrap"], record["registry"], extra_env, program=program)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until its health says SERVING.

        Raises:
            DevstackError: it ended, or took too long.
        """
        self._process.wait_until(self.ready, _READY_SECONDS)

    def ready(self) -> bool:
        """Say whether its health says SERVING."""
        with channel_to(self.grpc, self._security) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods are unknown to the package's types
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _choose_grpc(self, progress: Progress) -> int:
        name, last = self.name, self._port_of(self.record.get("grpc"))
        return choose_port(self._wanted_grpc, last, f"{name}'s gRPC API", grpc_variable(name), progress)

    def _choose_metrics(self, progress: Progress) -> int:
        name, last = self.name, self._port_of(self.record.get("metrics"))
        return choose_port(self._wanted_metrics, last, f"{name}'s metrics", metrics_variable(name), progress)

    @staticmethod
    def _port_of(address: object) -> int:
        return int(str(address).rpartition(":")[2]) if address else 0


def channel_to(address: str, security: Security) -> grpc.Channel:
    """Open a channel to a service; with TLS, and the token that may do everything, where the stack is closed."""
    if not security.on:
        return grpc.insecure_channel(address)
    channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(security.ca.read_bytes()))
    return with_token(channel, token_in_file(str(security.operator_token)))


def _fingerprint(module: str) -> str:
    """Return a digest of all the code of ours that the service ``module`` runs."""
    digest = sha256()
    for path in sorted(path for folder in (module, "sagakit", "gen") for path in (ROOT / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
