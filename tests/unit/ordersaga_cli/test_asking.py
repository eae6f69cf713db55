"""What changes many things at once is asked about first: at a terminal, and nowhere else."""

import os
import sys

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from tests.support.line import NOWHERE
from tests.support.terminal import at_a_terminal
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.services import Services, serving

BULK = {
    "saga retry --stuck": "Retry every saga that is stuck (at most 100)?",
    "saga cancel --status RUNNING --reason closed": "Cancel every saga that is RUNNING (at most 100)?",
}
SECONDS = 60


def orchestrator() -> Services:
    return Services(RetrySagas=pb.RetrySagasResponse(), CancelSagas=pb.CancelSagasResponse())


@pytest.mark.parametrize("given", ["", "n\n", "y\n"], ids=["nothing", "no", "yes"])
@pytest.mark.parametrize("line", BULK)
def test_without_a_terminal_nothing_is_sent_whatever_is_piped_in(line: str, given: str) -> None:
    services = orchestrator()
    with serving(services) as address:
        result = typed(line, at(address), given)
    assert (result.code, result.out, services.requests) == (2, "", [])
    assert f"{BULK[line]} Nobody can be asked without a terminal: --yes says that it is meant" in result.err


@pytest.mark.parametrize("line", BULK)
def test_yes_is_the_answer_where_nobody_can_be_asked(line: str) -> None:
    services = orchestrator()
    with serving(services) as address:
        result = typed(f"{line} --yes", at(address))
    assert (result.code, len(services.requests)) == (0, 1)


@pytest.mark.parametrize(("key", "sent"), [("n", 0), ("y", 1)])
def test_at_a_terminal_the_answer_decides(key: str, sent: int) -> None:
    services = orchestrator()
    with serving(services) as address:
        command = [sys.executable, "-m", "ordersaga_cli", "saga", "retry", "--stuck"]
        with at_a_terminal(command, {**os.environ, **NOWHERE, **at(address)}) as terminal:
            terminal.until(r"is stuck \(at most 100\)\? \[y/N\]", SECONDS)
            terminal.type(f"{key}\n")
            terminal.until("Aborted|No saga passes the filter", SECONDS)
    assert len(services.requests) == sent
