"""What closing costs, part by part: tokens, TLS of the callers, and all that `SECURE=1` closes, turn about."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.figures import ratios
from bench.http2 import OPEN, Access
from bench.load import Caller
from bench.plan import Plan
from bench.rig import Rig, access_to, rig
from bench.steady import CALLERS

_WARM_UP_SECONDS = 45.0
_SETTLE_SECONDS = 3.0
"""Of load, after order_svc has been started anew."""
_READY_SECONDS = 60.0
_FIGURES = ("completed", "create", "CPU-s")


@dataclass(frozen=True)
class _Part:
    """A way to run order_svc on a stack, and what it asks of its callers then."""

    rig: Rig
    access: Access
    settings: Mapping[str, str]
    """Beside its own."""


def measure(open_rig: Rig, plan: Plan) -> None:
    """Measure 256 callers of a stack that is open, with more and more of it closed, and of one that is all closed."""
    with rig(_WARM_UP_SECONDS, secure=True) as closed_rig:
        parts = _parts(open_rig, closed_rig)
        for turn in range(plan.rounds):
            names = list(parts)
            order = names[turn % len(names) :] + names[: turn % len(names)]  # none is always the one after another
            measured = {name: _throughput(parts[name], plan.seconds) for name in order}
            for name in names:
                plan.keep(name, measured[name])
            for name in names[1:]:
                plan.keep(f"{name}: ratio to {names[0]}", ratios(measured[name], to=measured[names[0]]))
        _restart(open_rig, {})


def _parts(open_rig: Rig, closed_rig: Rig) -> dict[str, _Part]:
    everything, settings = access_to(closed_rig.stack), closed_rig.stack.security.service_settings("order_svc")
    tokens = {name: value for name, value in settings.items() if name.startswith("AUTH_")}
    tls = {name: value for name, value in settings.items() if name.startswith("GRPC_TLS_")}
    return {
        "open": _Part(open_rig, OPEN, {}),
        "tokens": _Part(open_rig, Access(everything.token), tokens),
        "tokens, TLS of callers": _Part(open_rig, everything, tokens | tls),
        "all that SECURE=1 closes": _Part(closed_rig, everything, {}),
    }


def _throughput(part: _Part, seconds: float) -> dict[str, float]:
    _restart(part.rig, part.settings)
    caller = part.rig.caller_with(part.access)
    _wait_until_answered(caller)
    part.rig.warm_up(_SETTLE_SECONDS, caller)
    figures = part.rig.throughput(CALLERS, seconds, caller)
    return {name: value for name, value in figures.items() if name.startswith(_FIGURES)}


def _restart(on: Rig, settings: Mapping[str, str]) -> None:
    """Start order_svc anew with ``settings`` beside its own; its health may be closed to who started it."""
    service = on.stack.service("order_svc")
    service.stop()
    record = service.record
    service.launch(record["dsn"], record["bootstrap"], record["registry"], settings)


def _wait_until_answered(caller: Caller) -> None:
    give_up = time.monotonic() + _READY_SECONDS
    while not _is_answered(caller):
        if time.monotonic() > give_up:
            msg = f"order_svc takes no orders after {_READY_SECONDS:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.1)


def _is_answered(caller: Caller) -> bool:
    try:
        return set(caller.closed(1, at_most=1).answers) == {0}
    except OSError:  # nobody listens yet
        return False
