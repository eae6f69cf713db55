"""A replica of order_svc that speaks TLS, beside the stack's own, with files that a test replaces."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ordersaga.order.v1 import order_pb2_grpc

from devstack.layout import ROOT
from devstack.ports import free_port
from devstack.stack import Stack
from sagakit.runtime.settings import Listen
from tests.support.certificates import Authority, Pair
from tests.support.wait import eventually

_READY_SECONDS = 60
_STOP_SECONDS = 30


class Secured:
    """One replica, and what a client needs to reach it."""

    def __init__(self, stack: Stack, folder: Path, authority: Authority) -> None:
        """Run on the servers of ``stack``, with a certificate of ``authority`` that lies in ``folder``."""
        self.folder, self.authority = folder, authority
        self.grpc, self.health, self.metrics = (Listen("127.0.0.1", free_port()) for _ in range(3))
        self.dsn = stack.service("order_svc").dsn
        authority.sign("127.0.0.1", "localhost").write(folder)
        (folder / "ca.crt").write_bytes(authority.certificate)
        self._servers = {
            "DATABASE_URL": self.dsn,
            "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap,
            "SCHEMA_REGISTRY_URL": stack.registry_url,
        }
        self.log = folder / "service.log"

    @contextmanager
    def running(self, **settings: str) -> Iterator[None]:
        """Run it, with more settings, until the block ends; begin the block when it is ready."""
        certificate, key, ca = (str(self.folder / name) for name in ("tls.crt", "tls.key", "ca.crt"))
        environment: Mapping[str, str] = {
            **os.environ, **self._servers, "LOG_FORMAT": "json", "HEALTH_LISTEN": str(self.health),
            "GRPC_LISTEN": str(self.grpc), "GRPC_TLS_CERTIFICATE": certificate, "GRPC_TLS_KEY": key,
            "METRICS_LISTEN": str(self.metrics), "METRICS_TLS_CERTIFICATE": certificate, "METRICS_TLS_KEY": key,
            "GRPC_TLS_CLIENT_CA": ca, **settings,
        }  # fmt: skip
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "order_svc"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            eventually(lambda: self._must_be_ready(process), _READY_SECONDS)
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def channel(self, own: Pair | None, believed: bytes | None = None) -> grpc.Channel:
        """Open a channel with a certificate of one's own to what shows one of the authorities ``believed``, in PEM."""
        chain = (own.key, own.certificate) if own else ()
        credentials = grpc.ssl_channel_credentials(believed or self.authority.certificate, *chain)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        return grpc.secure_channel(str(self.grpc), credentials, options=options)

    def orders(self, channel: grpc.Channel) -> order_pb2_grpc.OrderServiceStub:
        return order_pb2_grpc.OrderServiceStub(channel)

    def probe(self, service: str = "") -> Any:
        """Return what a probe in the clear is told."""
        with grpc.insecure_channel(str(self.health)) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods are unknown to the package's types
            return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2).status

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged as ``event``."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]

    def _must_be_ready(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.poll() is None, self.log.read_text()
        try:
            status = self.probe()
        except grpc.RpcError as error:
            raise AssertionError(error) from error
        assert status == health_pb2.HealthCheckResponse.SERVING
