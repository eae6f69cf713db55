"""Flame graphs: where each service spends its time under load, as py-spy sees it from outside."""

import subprocess
import sys
from pathlib import Path

from bench.plan import Plan
from bench.rig import Rig
from bench.steady import CALLERS
from devstack.services import NAMES

_SAMPLES_A_SECOND = 100
_LEAD_SECONDS = 1.0
"""Of load before py-spy begins to look, and as long after it is done."""
_MORE_SECONDS = 60


def draw(rig: Rig, plan: Plan) -> None:
    """Draw a flame graph of each service into the plan's folder, one service after the other."""
    folder = plan.folder / "flames"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        graph = folder / f"{name}.svg"
        why = _draw(rig, name, graph, plan.seconds)
        if why:
            plan.leave_out(f"flame graph of {name}", why)
        else:
            print(f"flame graph: {graph}", file=sys.stderr, flush=True)


def _draw(rig: Rig, service: str, graph: Path, seconds: float) -> str:
    """Sample ``service`` for ``seconds`` under load; return why that was not possible, if it was not."""
    command = [
        "py-spy", "record", "--pid", str(rig.stack.service(service).pid), "--output", str(graph),
        "--duration", str(max(1, round(seconds))), "--rate", str(_SAMPLES_A_SECOND), "--threads",
    ]  # fmt: skip
    graph.unlink(missing_ok=True)
    sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        rig.caller.closed(CALLERS, seconds + 2 * _LEAD_SECONDS)
        rig.drain()
        _, said = sampler.communicate(timeout=_MORE_SECONDS)
    finally:
        sampler.kill()
    if sampler.returncode == 0 and graph.exists():
        return ""
    return " ".join(said.split())[-300:] or f"py-spy ended with {sampler.returncode}"
