"""The command line as a process, on the servers of a stack."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from devstack.layout import ROOT
from devstack.stack import Stack


@dataclass(frozen=True)
class Typed:
    """What came of a line that was typed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def jsons(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


class Line:
    """Types ``ordersaga`` lines; every server's address is in the environment."""

    def __init__(self, stack: Stack) -> None:
        self.environment = {
            **os.environ,
            "ORDER_SVC_ADDRESS": stack.service("order_svc").grpc,
            "ORCHESTRATOR_SVC_ADDRESS": stack.service("orchestrator_svc").grpc,
            "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap,
            "SCHEMA_REGISTRY_URL": stack.registry_url,
        }

    def __call__(self, *arguments: object, **environment: str) -> Typed:
        """Run one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "ordersaga_cli", *map(str, arguments)],
            env={**self.environment, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Typed(done.returncode, done.stdout, done.stderr)
