"""A service that is started by hand, beside those of the stack."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devstack.ports import free_port
from devstack.stack import Stack

_NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}


@dataclass
class ByHand:
    """Its process, and where its API is."""

    process: "subprocess.Popen[str]"
    grpc: str

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended by itself; return its exit code, and its log."""
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, log

    def stop(self) -> int:
        """Stop it as a deployment does; return its exit code."""
        self.process.terminate()
        return self.ended()[0]


@contextmanager
def by_hand(service: str, dsn: str, *arguments: str, stack: Stack | None = None) -> Iterator[ByHand]:
    """Run ``service`` on the database ``dsn``, on the stack's Kafka and registry or on none."""
    addresses = (
        {"KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap, "SCHEMA_REGISTRY_URL": stack.registry_url} if stack else _NOWHERE
    )
    grpc, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    ours = {"DATABASE_URL": dsn, "GRPC_LISTEN": grpc, "METRICS_LISTEN": metrics, "LOG_FORMAT": "json"}
    command = [sys.executable, "-m", service, *arguments]
    with subprocess.Popen(
        command, env={**os.environ, **addresses, **ours}, text=True, stderr=subprocess.PIPE
    ) as process:
        try:
            yield ByHand(process, grpc)
        finally:
            process.kill()
