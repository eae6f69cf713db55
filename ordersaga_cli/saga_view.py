"""Sagas as text for people."""

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from rich.text import Text

from ordersaga_cli import show
from ordersaga_cli.places import ROOT
from ordersaga_cli.table import Column, print_table
from sagakit.service.manifest import found

_COLOURS = {
    pb.SAGA_STATUS_RUNNING: "yellow",
    pb.SAGA_STATUS_COMPENSATING: "magenta",
    pb.SAGA_STATUS_COMPLETED: "green",
    pb.SAGA_STATUS_COMPENSATED: "blue",
}
_COLUMNS = (
    "order",
    "status",
    "stuck",
    Column("step", 1, folds=True),
    Column("pending command", 5, folds=True),
    Column("attempt", 4),
    "waiting",
    Column("deadline", 3),
    Column("last error", 2, folds=True),
)
_ENDED = {pb.SAGA_STATUS_COMPLETED, pb.SAGA_STATUS_COMPENSATED}


def print_sagas(sagas: Iterable[pb.Saga]) -> None:
    """Print a table, one line for each saga."""
    print_table(*saga_table(sagas))


def saga_table(sagas: Iterable[pb.Saga]) -> tuple[Sequence[Column | str], list[Sequence[object]]]:
    """Return the columns of a table of sagas, and a row for each saga."""
    return _COLUMNS, [
        (
            saga.order_id,
            Text(_status(saga), _COLOURS.get(saga.status, "")),
            Text("stuck", "bold red") if saga.stuck else "",
            saga.step,
            "" if saga.status in _ENDED else saga.pending_command,
            saga.attempt,
            show.span(show.since(saga.waiting_since)) if saga.HasField("waiting_since") else "",
            show.due(saga.deadline) if saga.HasField("deadline") else "",
            saga.last_error or saga.reason,
        )
        for saga in sagas
    ]


def saga_line(saga: pb.Saga) -> str:
    """Return one line about a saga that has changed."""
    parts = [
        show.clock(saga.update_time),
        f"order {saga.order_id}",
        _status(saga),
        f"at {saga.step}" if saga.step else "",
        "stuck" if saga.stuck else "",
        saga.reason,
        saga.last_error,
    ]
    return "  ".join(part for part in parts if part)


def print_saga(answer: pb.GetSagaResponse) -> None:
    """Print one saga, its history, and the next step."""
    saga = answer.saga
    for name, value in _facts(saga):
        if value:
            show.say(f"{name:17}{value}")
    show.say("")
    print_table(
        (
            Column("version", 2),
            Column("when (UTC)", 1),
            "what",
            Column("step", folds=True),
            Column("why", folds=True),
            Column("message-id", 3),
        ),
        (
            (
                event.version,
                show.clock(event.create_time),
                show.status(pb.SagaEventType.Name(event.type)),
                event.step,
                event.reason,
                event.message_id,
            )
            for event in answer.history
        ),
    )
    if answer.next_history_page_token:
        show.say(f"There are older events than these {len(answer.history)}; --limit shows more.")
    show.say("")
    show.say(f"Next: {hint(saga)}")


def _facts(saga: pb.Saga) -> list[tuple[str, str]]:
    waits = saga.HasField("waiting_since")
    return [
        ("order", str(saga.order_id)),
        ("status", _status(saga) + (f", because {saga.reason}" if saga.reason else "")),
        ("stuck", _stuck(saga)),
        ("final command" if saga.status in _ENDED else "pending command", saga.pending_command),
        ("attempt", str(saga.attempt)),
        (
            "waiting since",
            _with(saga.waiting_since, f"for {show.span(show.since(saga.waiting_since))}") if waits else "",
        ),
        ("deadline", _with(saga.deadline, show.due(saga.deadline)) if saga.HasField("deadline") else ""),
        ("last error", saga.last_error),
        ("steps left", ", ".join(saga.remaining_steps)),
        ("began", _with(saga.create_time, f"{show.span(show.since(saga.create_time))} ago")),
        ("last change", _with(saga.update_time, f"{show.span(show.since(saga.update_time))} ago")),
    ]


def hint(saga: pb.Saga) -> str:
    """Say what an operator can do about a saga."""
    retry = f"`ordersaga saga retry {saga.order_id}`"
    if not saga.pending_command:
        return (
            "run the version of orchestrator_svc that knows it, or mend its row in the table sagas; then it goes on by"
            f" itself within ten minutes, or at once by {retry}"
        )
    if saga.status in _ENDED:
        return f"nothing, it has ended; should its order still be PENDING, {retry} sends {saga.pending_command} again"
    if saga.stuck:
        return (
            f"it goes on by itself once {_handler(saga.pending_command)} answers {saga.pending_command}; see whether"
            " that runs (`ordersaga status`) and whether a message was parked (`ordersaga dlq list`), or ask now:"
            f" {retry}"
        )
    if saga.status == pb.SAGA_STATUS_COMPENSATING:
        return f"wait, it is undoing by itself; {retry} sends {saga.pending_command} now"
    return (
        f"wait, it asks again at its deadline; {retry} sends {saga.pending_command} now,"
        f' `ordersaga saga cancel {saga.order_id} --reason "…"` undoes it'
    )


def _stuck(saga: pb.Saga) -> str:
    if not saga.stuck:
        return "no"
    if not saga.pending_command or saga.status in _ENDED:
        return "yes: the last error says why"
    unanswered = saga.attempt - 1  # the present one may still be answered
    return f"yes: no success in {unanswered} attempts; it still asks" if unanswered else "yes; it still asks"


def _handler(command: str) -> str:
    """Return the service that handles ``command``; its manifest is not at hand in another service's image."""
    handlers = (one.name for one in found(ROOT).values() if command in {record.__name__ for record in one.reads})
    return next(handlers, "its service")


def _status(saga: pb.Saga) -> str:
    return show.status(pb.SagaStatus.Name(saga.status))


def _with(moment: Timestamp, note: str) -> str:
    return f"{show.clock(moment)} UTC, {note}"
