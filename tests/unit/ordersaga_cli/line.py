"""The command line as a person types it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from ordersaga_cli.__main__ import ordersaga


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


NOWHERE = {"DEVSTACK_DATA": "/nonexistent", "ORDER_SVC_ADDRESS": "", "ORCHESTRATOR_SVC_ADDRESS": "", "GRPC_TLS_CA": ""}


def typed(line: str, environment: Mapping[str, str] | None = None) -> Typed:
    """Run ``ordersaga`` with the arguments of ``line``; what ``environment`` does not say is not known."""
    settings = {**NOWHERE, "KAFKA_BOOTSTRAP_SERVERS": "", "SCHEMA_REGISTRY_URL": "", **(environment or {})}
    result = CliRunner(env=settings).invoke(ordersaga, shlex.split(line), prog_name="ordersaga")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Typed(result.exit_code, result.stdout, result.stderr)


def at(address: str) -> dict[str, str]:
    """Return the environment that names ``address`` as both services'."""
    return {"ORDER_SVC_ADDRESS": address, "ORCHESTRATOR_SVC_ADDRESS": address}
