"""ghz, a load generator that others wrote: what it measures must agree with what ours does."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
from google.protobuf.json_format import MessageToDict

from bench.figures import Figures
from bench.plan import Plan
from bench.rig import Rig
from bench.steady import CALLERS

VERSION = "v0.93.0"
MODULE = f"github.com/bojand/ghz/cmd/ghz@{VERSION}"
_CONNECTIONS = 4
_BUILD_SECONDS = 600
_MORE_SECONDS = 120
_NANO = 1e9


def measure(rig: Rig, plan: Plan) -> None:
    """Measure the closed loop of 256 callers by ghz; without Go to build it with, say that it is left out."""
    name = f"ghz, {CALLERS} callers"
    try:
        program = built(plan.folder / "bin")
    except (FileNotFoundError, subprocess.SubprocessError) as error:
        plan.leave_out(name, _reason(error))
        return
    requests = plan.folder / "ghz-requests.json"
    requests.write_text(json.dumps([MessageToDict(request) for request in rig.caller.requests]))
    command = [str(program), "--data-file", str(requests)]
    for _ in range(plan.rounds):
        plan.keep(name, _round(rig, command, plan.seconds))


def built(folder: Path) -> Path:
    """Return the program in ``folder``, built by Go where it is not there yet.

    Raises:
        FileNotFoundError: there is no Go.
        subprocess.SubprocessError: it cannot be built.
    """
    program = folder.absolute() / f"ghz-{VERSION}"
    if not program.exists():
        if shutil.which("go") is None:
            raise FileNotFoundError("Go, which builds it, is not on the PATH")
        environment = {**os.environ, "GOBIN": str(program.parent), "GOFLAGS": "-modcacherw"}
        subprocess.run(
            ["go", "install", MODULE],
            check=True,
            env=environment,
            timeout=_BUILD_SECONDS,
            capture_output=True,
            text=True,
        )
        program.with_name("ghz").rename(program)
    return program


def figures_of(report: dict[str, Any]) -> Figures:
    """Return what a report of ghz's says.

    Raises:
        RuntimeError: calls were answered with errors.
    """
    answers = report["statusCodeDistribution"]
    if set(answers) != {"OK"}:
        msg = f"calls were answered with errors, by status code: {answers}"
        raise RuntimeError(msg)
    latencies = {entry["percentage"]: entry["latency"] / _NANO * 1000 for entry in report["latencyDistribution"]}
    return {"answered calls/s": report["rps"], "create p50 ms": latencies[50], "create p99 ms": latencies[99]}


def run(command: list[str], seconds: float) -> dict[str, Any]:
    """Run ghz for ``seconds`` and return its report.

    Raises:
        RuntimeError: it fails; with what it said.
        subprocess.TimeoutExpired: it does not end.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + _MORE_SECONDS)
    if done.returncode != 0:
        msg = f"ghz: {' '.join(done.stderr.split())[-300:]}"
        raise RuntimeError(msg)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _round(rig: Rig, command: list[str], seconds: float) -> Figures:
    with psycopg.connect(rig.stack.service("order_svc").dsn, autocommit=True) as connection:
        before = connection.execute("SELECT max(order_id) FROM orders").fetchone()
        figures = figures_of(run([*command, *_options(seconds), rig.stack.service("order_svc").grpc], seconds))
        rig.drain()
        ended = time.time()
        placed = connection.execute(
            "SELECT count(*), extract(epoch FROM min(create_time))::float FROM orders WHERE order_id > %s", before
        ).fetchone()
    if placed is None or not placed[0]:
        raise RuntimeError("ghz has placed no orders")
    return {"completed orders/s": placed[0] / (ended - placed[1])} | figures


def _options(seconds: float) -> list[str]:
    return [
        "--insecure", "--call", "ordersaga.order.v1.OrderService.CreateOrder", "--format", "json",
        "--concurrency", str(CALLERS), "--connections", str(_CONNECTIONS),
        "--duration", f"{seconds}s", "--duration-stop", "wait",
    ]  # fmt: skip


def _reason(error: Exception) -> str:
    lines = str(getattr(error, "stderr", "") or "").split("\n")
    said = [line for line in lines if line.strip()]
    return f"{error}" + (f": {said[-1]}" if said else "")
