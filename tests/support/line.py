"""The command line as a person types it: in this process, which is quick, on whatever servers it is given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from devstack.services import NAMES
from devstack.stack import Stack
from ordersaga_cli.__main__ import ordersaga

NOWHERE = {
    "ORDER_SVC_ADDRESS": "",
    "PRODUCT_SVC_ADDRESS": "",
    "DELIVERY_SVC_ADDRESS": "",
    "ORCHESTRATOR_SVC_ADDRESS": "",
    "KAFKA_BOOTSTRAP_SERVERS": "",
    "SCHEMA_REGISTRY_URL": "",
    "DEVSTACK_DATA": "/nonexistent",
    "GRPC_TLS_CA": "",
    "GRPC_TLS_CERTIFICATE": "",
    "GRPC_TLS_KEY": "",
    "METRICS_TLS_CA": "",
    "METRICS_TLS_CERTIFICATE": "",
    "METRICS_TLS_KEY": "",
    "ORDERSAGA_TOKEN": "",
}
"""An environment that knows of no server."""


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


def typed(arguments: Sequence[object], environment: Mapping[str, str], given: str = "") -> Typed:
    """Run ``ordersaga`` with ``arguments``, ``given`` piped in, and no variable that is not in ``environment``."""
    runner = CliRunner(env={**NOWHERE, **environment})
    result = runner.invoke(ordersaga, [str(argument) for argument in arguments], prog_name="ordersaga", input=given)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Typed(result.exit_code, result.stdout, result.stderr)


class Line:
    """Types ``ordersaga`` lines to the servers of a stack."""

    def __init__(self, stack: Stack, login: str = "") -> None:
        """Type as an operator; as ``login``, where one is given, to Kafka and the registry of a closed stack."""
        self.environment = {
            **{f"{name.upper()}_ADDRESS": stack.service(name).grpc for name in NAMES},
            "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap,
            "SCHEMA_REGISTRY_URL": stack.registry_url,
            "DEVSTACK_DATA": str(stack.folder) if stack.security.on else NOWHERE["DEVSTACK_DATA"],
            **(stack.security.settings(login) if login else {}),
        }

    def __call__(self, *arguments: object) -> Typed:
        """Run one command to its end."""
        return typed(arguments, self.environment)
