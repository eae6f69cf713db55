"""One saga in sentences: what it does, and what somebody can do about it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.pulse import ServiceState
from console_svc.words import between, listed, plural, span, time_of

_ENDED = {pb.SAGA_STATUS_COMPLETED, pb.SAGA_STATUS_COMPENSATED}


def tone(saga: pb.Saga) -> str:
    """Return ``good``, ``bad``, ``late``, ``undo`` or ``busy``."""
    if saga.stuck:
        return "bad"
    if saga.status == pb.SAGA_STATUS_COMPLETED:
        return "good"
    if any(one.attempt > 1 for one in saga.pending):
        return "late"
    return "undo" if saga.status in {pb.SAGA_STATUS_COMPENSATED, pb.SAGA_STATUS_COMPENSATING} else "busy"


def sentence(saga: pb.Saga, end: Timestamp | None = None) -> str:
    """Say what the saga does, or what became of it; and how long it took, where its ``end`` is known."""
    took = f"; it took {between(saga.create_time, end)}" if end else ""
    if saga.status == pb.SAGA_STATUS_COMPLETED:
        return f"All steps are done{took}."
    if saga.status == pb.SAGA_STATUS_COMPENSATED:
        return f"Everything is undone{_because(saga)}{took}."
    if not saga.pending or not saga.pending[0].command:
        return "The running version of the orchestrator can make nothing of this saga; the last error says why."
    one = saga.pending[0]
    waits = span(max(0.0, (datetime.now(UTC) - time_of(one.waiting_since)).total_seconds()))
    does = "undoing" if saga.status == pb.SAGA_STATUS_COMPENSATING else "doing"
    asked = f"; asked {plural(one.attempt, 'time')} so far" if one.attempt > 1 else ""
    return f"Waits {waits} for the answer to {one.command}, {does} {one.step}{_because(saga)}{asked}."


def what_next(saga: pb.Saga, absent: Sequence[ServiceState]) -> str:
    """Say what will happen by itself, and what a person can do; ``absent`` are the services that are not ready."""
    if saga.status in _ENDED:
        return f"Nothing is left to do. Should its order still be pending, send {saga.pending_command} again."
    if not saga.pending or not saga.pending[0].command:
        return "Run the version that knows it, or mend its row; it then goes on by itself within ten minutes."
    if absent:
        names = listed([one.name for one in absent])
        return f"{names} {'is' if len(absent) == 1 else 'are'} not ready; once that runs the saga goes on by itself."
    return _of_one_that_waits(saga)


def _of_one_that_waits(saga: pb.Saga) -> str:
    if saga.stuck:
        return (
            "It goes on as soon as somebody answers. See on the System page whether that service is ready, and among"
            " the dead letters whether the command was parked; then send it again here."
        )
    if saga.status == pb.SAGA_STATUS_COMPENSATING:
        return "It undoes by itself, and asks again until it is answered."
    if saga.pending[0].attempt > 1:
        return "It asks again by itself at its deadline. If the service is down, start it; nothing is lost meanwhile."
    return "Nothing to do: this is how it should be. It asks again by itself should no answer come."


def _because(saga: pb.Saga) -> str:
    return f" because of {saga.reason}" if saga.reason else ""
