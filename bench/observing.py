"""What it costs to be looked at: one trace in a hundred, metrics read, a console with two open pages, turn about."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench import onlooker
from bench.figures import Figures, ratios
from bench.plan import Plan
from bench.rig import Rig, rig
from bench.steady import CALLERS
from devstack.services import NAMES

_WARM_UP_SECONDS = 45.0
_FIGURES = ("completed", "create", "call to", "CPU-s")
_NOT, _ALL = "not looked at", "traces, metrics and console"


def measure(unseen: Rig, plan: Plan) -> None:
    """Measure 256 callers, and one alone, of a stack that nobody looks at and of one with all that shows it."""
    with _seen() as seen:
        rigs = {_NOT: unseen, _ALL: seen}
        for name, one in rigs.items():
            plan.keep(f"{name}: idle, to warm up", one.idle(_WARM_UP_SECONDS))
        for turn in range(plan.rounds):
            order = list(rigs) if turn % 2 else list(reversed(rigs))
            measured = {name: _round(rigs[name], plan.seconds) for name in order}
            for name in rigs:
                plan.keep(name, measured[name])
            plan.keep(f"{_ALL}: ratio to {_NOT}", ratios(measured[_ALL], to=measured[_NOT]))


def _round(one: Rig, seconds: float) -> Figures:
    figures = one.throughput(CALLERS, seconds)
    alone = {f"idle, {name}": value for name, value in one.idle(seconds / 2).items()}
    return {
        name: value for name, value in (figures | alone).items() if name.removeprefix("idle, ").startswith(_FIGURES)
    }


@contextmanager
def _seen() -> Iterator[Rig]:
    """Bring a stack up that is looked at from its first moment on."""
    with (
        onlooker.started() as looks,
        _variables({"OTEL_EXPORTER_OTLP_ENDPOINT": looks.collector}),
        rig(_WARM_UP_SECONDS) as one,
    ):
        console = one.stack.console
        console.launch(one.stack.console_asks)
        console.wait_ready()
        looks.look_at([one.stack.service(name).metrics for name in NAMES], console.url)
        yield one
        looks.end()


@contextmanager
def _variables(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
