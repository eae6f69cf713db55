"""``ordersaga saga``: list, show and watch sagas, and mend them."""

from collections.abc import Callable

import click
import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub

from ordersaga_cli import show
from ordersaga_cli.calls import CALL_SECONDS, code_of, orchestrator, reason_of, renewed, saying_what_became, text_of
from ordersaga_cli.filters import Filter, filter_options
from ordersaga_cli.line import ID, LIMIT, Group, actor_option, ask_first, json_option, yes_option
from ordersaga_cli.places import ORCHESTRATOR_SVC, service_option
from ordersaga_cli.saga_view import print_saga, print_sagas, saga_line
from ordersaga_cli.top import top

_PAGE = 500
_BULK_SECONDS = 60.0
_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED}
"""Failures that the call for the next saga would meet as well."""
_ASK_FOR = "name the sagas by their order ids, or pick them by a filter such as --stuck or --step"


@click.group(cls=Group)
def saga() -> None:
    """Sagas: find those that are stuck, look at them, mend them."""


@saga.command(
    "list",
    examples=["ordersaga saga list --stuck", "ordersaga saga list --status RUNNING --older-than 10m --json"],
    then="`ordersaga saga show ID` shows one saga with its history.",
)
@filter_options
@click.option("--limit", type=LIMIT, default=50, show_default=True, help="At most this many.")
@json_option
@service_option(ORCHESTRATOR_SVC)
def list_(
    *,
    asked: Filter,
    limit: int,
    as_json: bool,
    orchestrator_svc: str,
) -> None:
    """List sagas, by descending order id."""
    with orchestrator(orchestrator_svc) as sagas:
        found = _list(sagas, asked, limit)
    if as_json:
        show.document(found)
        return
    print_sagas(found.sagas)
    if found.next_page_token:
        show.say(f"There are more than --limit {limit}.")


@saga.command(
    "show",
    examples=["ordersaga saga show 42", "ordersaga saga show 42 --json"],
    then="the last line says what can be done about this saga.",
)
@click.argument("order_id", type=ID, metavar="ID")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="At most this many events, the newest.")
@json_option
@service_option(ORCHESTRATOR_SVC)
def show_(*, order_id: int, limit: int, as_json: bool, orchestrator_svc: str) -> None:
    """Show one saga: its state, what it waits for, and its history."""
    with orchestrator(orchestrator_svc) as sagas:
        found = _get(sagas, order_id, limit)
    if as_json:
        show.document(found)
    else:
        print_saga(found)


@saga.command(
    examples=["ordersaga saga retry 42", "ordersaga saga retry --stuck --step create-delivery --yes"],
    then="`ordersaga saga show ID` shows whether it goes on.",
)
@click.argument("order_ids", type=ID, nargs=-1, metavar="[ID]...")
@filter_options
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="At most this many, picked by a filter.")
@click.option("--reason", default="", help="Why, for the history.")
@actor_option
@yes_option
@json_option
@service_option(ORCHESTRATOR_SVC)
def retry(
    *,
    order_ids: tuple[int, ...],
    asked: Filter,
    limit: int,
    reason: str,
    actor: str,
    yes: bool,
    as_json: bool,
    orchestrator_svc: str,
) -> None:
    """Have sagas send their pending (or, once ended, final) command again now.

    It may be repeated safely. It prints one line for each saga.
    """
    _must_be_meant("Retry", order_ids, asked, limit, yes=yes)
    undone = f"no {'further ' if len(order_ids) > 1 else ''}saga was retried"
    with saying_what_became(undone, "repeat it: that is always safe"), orchestrator(orchestrator_svc) as sagas:
        if asked:
            filtered = pb.RetrySagasRequest(filter=asked.proto(), actor=actor, reason=reason, limit=limit)
            answer = sagas.RetrySagas(filtered, timeout=_BULK_SECONDS)
        else:
            named = [pb.RetrySagaRequest(order_id=one, actor=actor, reason=reason) for one in order_ids]
            answer = pb.RetrySagasResponse(results=[_result(sagas.RetrySaga, request) for request in named])
    _report(answer, "its {command} is sent again", as_json=as_json)


@saga.command(
    examples=[
        'ordersaga saga cancel 42 --reason "ordered by mistake"',
        'ordersaga saga cancel --step create-delivery --older-than 1h --reason "carrier closed" --yes',
    ],
    then="`ordersaga saga show ID` shows how far the undoing is.",
)
@click.argument("order_ids", type=ID, nargs=-1, metavar="[ID]...")
@filter_options
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="At most this many, picked by a filter.")
@click.option("--reason", required=True, help="Why, for the history.")
@actor_option
@yes_option
@json_option
@service_option(ORCHESTRATOR_SVC)
def cancel(
    *,
    order_ids: tuple[int, ...],
    asked: Filter,
    limit: int,
    reason: str,
    actor: str,
    yes: bool,
    as_json: bool,
    orchestrator_svc: str,
) -> None:
    """Have sagas undo their steps. Past the pivot (the delivery exists) it is too late, and nothing changes."""
    _must_be_meant("Cancel", order_ids, asked, limit, yes=yes)
    undone = f"no {'further ' if len(order_ids) > 1 else ''}saga was cancelled"
    repeat = "repeat it: a saga that is being undone is left as it is"
    with saying_what_became(undone, repeat), orchestrator(orchestrator_svc) as sagas:
        if asked:
            filtered = pb.CancelSagasRequest(filter=asked.proto(), actor=actor, reason=reason, limit=limit)
            answer = sagas.CancelSagas(filtered, timeout=_BULK_SECONDS)
        else:
            named = [pb.CancelSagaRequest(order_id=one, actor=actor, reason=reason) for one in order_ids]
            answer = pb.CancelSagasResponse(results=[_result(sagas.CancelSaga, request) for request in named])
    _report(answer, "{status}", as_json=as_json)


@saga.command(
    examples=["ordersaga saga watch", "ordersaga saga watch --stuck --json"],
    then="it goes on until Ctrl-C; `ordersaga saga show ID` shows one saga with its history.",
)
@filter_options
@json_option
@service_option(ORCHESTRATOR_SVC)
def watch(
    *,
    asked: Filter,
    as_json: bool,
    orchestrator_svc: str,
) -> None:
    """Watch sagas: those under way, then each whenever it changes."""
    request = pb.WatchSagasRequest(filter=asked.proto() if asked else None)
    try:
        with orchestrator(orchestrator_svc) as sagas:
            for update in renewed(ORCHESTRATOR_SVC, lambda: sagas.WatchSagas(request)):
                if as_json:
                    show.document(update, line=True)
                else:
                    show.say(saga_line(update.saga))
    except KeyboardInterrupt:
        return


saga.add_command(top)


def _get(sagas: OrchestratorServiceStub, order_id: int, limit: int) -> pb.GetSagaResponse:
    """Read page by page, from the newest event back, until ``limit`` events are there."""
    found = pb.GetSagaResponse()
    events: list[pb.SagaEvent] = []
    while True:
        request = pb.GetSagaRequest(
            order_id=order_id,
            history_page_size=min(_PAGE, limit - len(events)),
            history_page_token=found.next_history_page_token,
        )
        page = sagas.GetSaga(request, timeout=CALL_SECONDS)
        if not found.HasField("saga"):
            found.saga.CopyFrom(page.saga)
        events[:0] = page.history
        found.next_history_page_token = page.next_history_page_token
        if not page.next_history_page_token or len(events) >= limit:
            found.history.extend(events)
            return found


def _list(sagas: OrchestratorServiceStub, asked: Filter, limit: int) -> pb.ListSagasResponse:
    """Read page by page until ``limit`` is reached."""
    found = pb.ListSagasResponse()
    while True:
        page = sagas.ListSagas(
            pb.ListSagasRequest(
                page_size=min(_PAGE, limit - len(found.sagas)),
                page_token=found.next_page_token,
                status=asked.status_value,
                step=asked.step or "",
                stuck=asked.stuck,
                min_age=asked.min_age,
                retrying=asked.retrying,
                reason=asked.undone_for or "",
            ),
            timeout=CALL_SECONDS,
        )
        found.sagas.extend(page.sagas)
        found.next_page_token = page.next_page_token
        if not page.next_page_token or len(found.sagas) >= limit:
            return found


def _must_be_meant(action: str, order_ids: tuple[int, ...], asked: Filter, limit: int, *, yes: bool) -> None:
    """Check that sagas are either named or picked by a filter; where they are picked, ask first, unless ``yes``.

    Raises:
        click.UsageError: both, or neither.
        click.Abort: the answer is no.
    """
    if bool(order_ids) == bool(asked):
        raise click.UsageError(_ASK_FOR + ("; not both" if order_ids else ""))
    if asked:
        ask_first(f"{action} every saga that is {asked.words()} (at most {limit})?", yes=yes)


def _result(
    call: Callable[..., pb.RetrySagaResponse | pb.CancelSagaResponse],
    request: pb.RetrySagaRequest | pb.CancelSagaRequest,
) -> pb.SagaResult:
    """Make one saga's call. Its failure is its result, unless the call for the next saga would meet it as well."""
    order_id = request.order_id
    try:
        return pb.SagaResult(order_id=order_id, saga=call(request, timeout=CALL_SECONDS).saga)
    except grpc.RpcError as error:
        if code_of(error) in _AWAY:
            raise
        return pb.SagaResult(order_id=order_id, error_reason=reason_of(error), error_message=text_of(error))


def _report(answer: pb.RetrySagasResponse | pb.CancelSagasResponse, done: str, *, as_json: bool) -> None:
    """Print the outcome for each saga; end with 1 where one failed."""
    if as_json:
        show.document(answer)
    else:
        for result in answer.results:
            show.say(f"order {result.order_id}: {_words(result, done)}")
        if not answer.results:
            click.echo("No saga passes the filter.", err=True)
        if answer.more:
            click.echo("More sagas pass the filter: run it again, or raise --limit.", err=True)
    if any(result.error_reason for result in answer.results):
        raise click.exceptions.Exit(1)


def _words(result: pb.SagaResult, done: str) -> str:
    if result.error_reason:
        return f"failed: {result.error_message} ({result.error_reason})"
    name = show.status(pb.SagaStatus.Name(result.saga.status))
    return done.format(command=result.saga.pending_command, status=name)
