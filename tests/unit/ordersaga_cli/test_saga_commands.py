"""``ordersaga saga``: what an operator sees, and what the orchestrator is asked."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from ordersaga_cli import calls
from sagakit.errors import NotFound, Refused, Unavailable
from tests.unit.ordersaga_cli.line import Typed, at, typed
from tests.unit.ordersaga_cli.services import Services, serving


def when(seconds: float) -> Timestamp:
    """A moment so many seconds from now."""
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return moment


def saga(order_id: int = 42, **changes: object) -> pb.Saga:
    """A saga that has long waited for an undo."""
    given: dict[str, object] = {
        "order_id": order_id,
        "status": pb.SAGA_STATUS_COMPENSATING,
        "step": "decrease-product",
        "stuck": True,
        "reason": "UNDELIVERABLE_ADDRESS",
        "pending_command": "IncreaseProductCommand",
        "attempt": 6,
        "waiting_since": when(-1925),
        "deadline": when(471.5),
        "last_error": "no reply, attempt 5",
        "remaining_steps": ["decrease-product"],
        "version": 9,
        "create_time": when(-1926),
        "update_time": when(-120),
        **changes,
    }
    return pb.Saga(**given)  # type: ignore[arg-type] # by name


RUNNING = {"status": pb.SAGA_STATUS_RUNNING, "stuck": False, "reason": "", "last_error": ""}


def ask(line: str, **answers: object) -> tuple[Typed, Services]:
    services = Services(**answers)
    with serving(services) as address:
        return typed(line, at(address)), services


def test_list_shows_what_a_saga_waits_for() -> None:
    result, services = ask("saga list --stuck", ListSagas=pb.ListSagasResponse(sagas=[saga(42), saga(41, **RUNNING)]))
    head, stuck, running = result.lines
    assert head.split("  ")[0] == "order"
    for word in ("COMPENSATING", "stuck", "IncreaseProductCommand", "32 min 5 s", "in 7 min", "no reply, attempt 5"):
        assert word in stuck
    assert "stuck" not in running
    assert services.request == pb.ListSagasRequest(page_size=50, stuck=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", pb.ListSagasRequest(page_size=50)),
        ("--status running", pb.ListSagasRequest(page_size=50, status=pb.SAGA_STATUS_RUNNING)),
        ("--step create-delivery --not-stuck", pb.ListSagasRequest(page_size=50, step="create-delivery", stuck=False)),
        ("--limit 7", pb.ListSagasRequest(page_size=7)),
    ],
)
def test_list_asks_for_what_the_options_say(options: str, expected: pb.ListSagasRequest) -> None:
    _, services = ask(f"saga list {options}", ListSagas=pb.ListSagasResponse())
    assert services.request == expected


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)])
def test_an_age_is_given_with_its_unit(text: str, seconds: int) -> None:
    _, services = ask(f"saga list --older-than {text}", ListSagas=pb.ListSagasResponse())
    assert services.request.min_age.seconds == seconds


def test_list_reads_page_after_page_up_to_its_limit() -> None:
    def page(request: pb.ListSagasRequest) -> pb.ListSagasResponse:
        first = int(request.page_token or 1000)
        sagas = [saga(first - n) for n in range(request.page_size)]
        return pb.ListSagasResponse(sagas=sagas, next_page_token=str(first - request.page_size))

    result, services = ask("saga list --limit 700 --json", ListSagas=page)
    assert [int(one["order_id"]) for one in result.json["sagas"]] == list(range(1000, 300, -1))
    assert [request.page_size for request in services.requests] == [500, 200]


def history() -> pb.GetSagaResponse:
    return pb.GetSagaResponse(
        saga=saga(),
        history=[
            pb.SagaEvent(version=1, create_time=when(-1926), type=pb.SAGA_EVENT_TYPE_STARTED, message_id="a1"),
            pb.SagaEvent(
                version=9,
                create_time=when(-120),
                type=pb.SAGA_EVENT_TYPE_STUCK,
                step="decrease-product",
                reason="no reply, attempt 5",
            ),
        ],
    )


def test_show_prints_where_it_stands_how_it_came_there_and_what_to_do() -> None:
    result, _ = ask("saga show 42", GetSaga=history())
    facts = dict(re.findall(r"^(\w[a-z ]{0,15}\w) {2,}(\S.*)$", result.out, re.MULTILINE))
    assert facts["status"] == "COMPENSATING, because UNDELIVERABLE_ADDRESS"
    assert facts["stuck"] == "yes: no success in 5 attempts; it still asks"
    assert facts["pending command"] == "IncreaseProductCommand"
    assert facts["attempt"] == "6"
    assert facts["waiting since"].endswith("for 32 min 5 s")
    assert facts["deadline"].endswith("UTC, in 7 min 51 s")
    assert facts["last error"] == "no reply, attempt 5"
    assert facts["steps left"] == "decrease-product"
    assert [line.split()[3] for line in result.lines if re.match(r"\d+  ", line)] == ["STARTED", "STUCK"]
    assert result.lines[-1].startswith("Next: it goes on by itself once product_svc answers IncreaseProductCommand")
    assert result.lines[-1].endswith("or ask now: `ordersaga saga retry 42`")


def long_history(request: pb.GetSagaRequest) -> pb.GetSagaResponse:
    """Of two thousand events, those before the token's."""
    last = int(request.history_page_token or 2000)
    first = max(0, last - request.history_page_size)
    events = [pb.SagaEvent(version=n + 1, create_time=when(-60), reason=f"event {n + 1}") for n in range(first, last)]
    return pb.GetSagaResponse(saga=saga(), history=events, next_history_page_token=str(first or ""))


@pytest.mark.parametrize(
    ("options", "shown", "asked"),
    [("", 100, [100]), ("--limit 700", 700, [500, 200]), ("--limit 9999", 2000, [500, 500, 500, 500])],
    ids=["newest", "several-pages", "all"],
)
def test_show_reads_a_long_history_from_its_newest_event_back_to_its_limit(
    options: str, shown: int, asked: list[int]
) -> None:
    result, services = ask(f"saga show 42 {options} --json", GetSaga=long_history)
    assert [int(event["version"]) for event in result.json["history"]] == list(range(2001 - shown, 2001))
    assert [request.history_page_size for request in services.requests] == asked
    assert bool(result.json["next_history_page_token"]) == (shown < 2000)


def test_show_says_below_its_table_that_there_are_older_events() -> None:
    result, _ = ask("saga show 42 --limit 3", GetSaga=long_history)
    assert result.lines[-3] == "There are older events than these 3; --limit shows more."


def test_list_says_below_its_table_that_there_are_more() -> None:
    more = pb.ListSagasResponse(sagas=[saga()], next_page_token="more")  # noqa: S106 - no password
    result, _ = ask("saga list --limit 1", ListSagas=more)
    assert (result.lines[-1], result.err) == ("There are more than --limit 1.", "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stuck": False}, "no"),
        ({"attempt": 1}, "yes; it still asks"),
        ({"pending_command": ""}, "yes: the last error says why"),
        ({"status": pb.SAGA_STATUS_COMPLETED}, "yes: the last error says why"),
    ],
    ids=["not stuck", "refused at once", "not understood", "ended"],
)
def test_what_being_stuck_means_is_said(changes: dict[str, object], words: str) -> None:
    result, _ = ask("saga show 42", GetSaga=pb.GetSagaResponse(saga=saga(**changes)))  # type: ignore[arg-type] # by name
    assert re.search(rf"^stuck +{words}$", result.out, re.MULTILINE)


def test_a_command_of_another_version_has_no_service_to_name() -> None:
    later = saga(pending_command="ChargeCardCommand")
    result, _ = ask("saga show 42", GetSaga=pb.GetSagaResponse(saga=later))
    assert "once its service answers ChargeCardCommand" in result.lines[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": pb.SAGA_STATUS_COMPLETED, "stuck": False}, "nothing, it has ended"),
        ({"pending_command": "", "step": "charge-card"}, "run the version of orchestrator_svc that knows it"),
        ({"stuck": False}, "wait, it is undoing by itself"),
        (RUNNING, '`ordersaga saga cancel 42 --reason "…"` undoes it'),
    ],
    ids=["ended", "not understood", "compensating", "running"],
)
def test_the_hint_fits_the_saga(changes: dict[str, object], words: str) -> None:
    result, _ = ask("saga show 42", GetSaga=pb.GetSagaResponse(saga=saga(**changes)))  # type: ignore[arg-type] # by name
    assert words in result.lines[-1]


def test_an_overdue_deadline_is_shown_as_such() -> None:
    result, _ = ask("saga show 42", GetSaga=pb.GetSagaResponse(saga=saga(deadline=when(-61.5))))
    assert "overdue for 1 min 1 s" in result.out


def test_json_has_the_fields_of_the_proto() -> None:
    result, _ = ask("saga show 42 --json", GetSaga=history())
    assert set(result.json) == {"saga", "history", "next_history_page_token"}
    assert result.json["saga"]["pending_command"] == "IncreaseProductCommand"
    assert result.json["saga"]["stuck"] is True
    assert result.json["history"][0]["type"] == "SAGA_EVENT_TYPE_STARTED"


def test_retry_names_the_actor_and_the_reason_and_shows_each_result() -> None:
    def retried(request: pb.RetrySagaRequest) -> object:
        if request.order_id == 2:
            return NotFound("SAGA_NOT_FOUND", "there is no saga of order 2")
        return pb.RetrySagaResponse(saga=saga(request.order_id))

    result, services = ask("saga retry 1 2 3 --reason mended --actor ann", RetrySaga=retried)
    assert result.lines == [
        "order 1: its IncreaseProductCommand is sent again",
        "order 2: failed: there is no saga of order 2 (SAGA_NOT_FOUND)",
        "order 3: its IncreaseProductCommand is sent again",
    ]
    assert result.code == 1
    assert services.requests[0] == pb.RetrySagaRequest(order_id=1, actor="ann", reason="mended")


def test_the_actor_is_whoever_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    result, services = ask("saga retry 1", RetrySaga=pb.RetrySagaResponse(saga=saga(1)))
    assert (result.code, services.request.actor) == (0, "ann")


def test_retry_by_a_filter_is_one_call_with_a_result_for_each_saga() -> None:
    answer = pb.RetrySagasResponse(results=[pb.SagaResult(order_id=1, saga=saga(1))], more=True)
    result, services = ask("saga retry --stuck --step decrease-product --actor ann --limit 1 --yes", RetrySagas=answer)
    assert services.request == pb.RetrySagasRequest(
        filter=pb.SagaFilter(stuck=True, step="decrease-product"), actor="ann", limit=1
    )
    assert (result.code, result.lines) == (0, ["order 1: its IncreaseProductCommand is sent again"])
    assert "More sagas pass the filter" in result.err


def test_cancel_shows_what_came_too_late_and_ends_with_1() -> None:
    too_late = pb.SagaResult(order_id=2, error_reason="TOO_LATE", error_message="order 2 is past the pivot")
    answer = pb.CancelSagasResponse(results=[pb.SagaResult(order_id=1, saga=saga(1)), too_late])
    result, services = ask("saga cancel --status RUNNING --reason closed --yes", CancelSagas=answer)
    assert result.lines == ["order 1: COMPENSATING", "order 2: failed: order 2 is past the pivot (TOO_LATE)"]
    assert result.code == 1
    assert (services.request.reason, services.request.filter.status) == ("closed", pb.SAGA_STATUS_RUNNING)


def test_cancel_of_one_saga() -> None:
    result, services = ask("saga cancel 7 --reason closed --actor ann", CancelSaga=pb.CancelSagaResponse(saga=saga(7)))
    assert (result.code, result.lines) == (0, ["order 7: COMPENSATING"])
    assert services.request == pb.CancelSagaRequest(order_id=7, actor="ann", reason="closed")


def test_the_json_of_a_retry_is_that_of_the_bulk_call_whichever_was_made() -> None:
    failed, _ = ask("saga retry 7 --json", RetrySaga=Refused("TOO_LATE", "no"))
    (result,) = failed.json["results"]
    assert (result["order_id"], result["error_reason"], result["error_message"]) == ("7", "TOO_LATE", "no")
    bulk, _ = ask("saga retry --stuck --yes --json", RetrySagas=pb.RetrySagasResponse())
    assert bulk.json == {"results": [], "more": False}


@pytest.mark.parametrize(
    "line", ["saga retry", "saga retry 1 --stuck", "saga cancel 1", "saga retry x", "saga retry 0"]
)
def test_wrong_usage_ends_with_2_and_asks_nothing(line: str) -> None:
    result, services = ask(line)
    assert (result.code, services.requests) == (2, [])
    assert result.err


def test_an_orchestrator_that_is_away_fails_once_and_not_for_each_saga() -> None:
    result, services = ask("saga retry 1 2 3", RetrySaga=Unavailable("the database cannot be reached; try again"))
    assert (result.code, len(services.requests)) == (1, 1)
    assert result.err == (
        "ordersaga: the database cannot be reached; try again (UNAVAILABLE)"
        " (it may have been done: repeat it: that is always safe)\n"
    )


def test_an_orchestrator_of_an_earlier_version_is_named_as_such() -> None:
    result, _ = ask("saga retry 1")
    assert result.code == 1
    assert "older than this command line" in result.err


def test_watch_prints_each_change() -> None:
    updates = [pb.WatchSagasResponse(saga=saga(42, **RUNNING)), pb.WatchSagasResponse(saga=saga(42))]
    result, services = ask("saga watch", WatchSagas=updates)
    first, second = result.lines
    assert "order 42  RUNNING  at decrease-product" in first
    assert "order 42  COMPENSATING  at decrease-product  stuck  UNDELIVERABLE_ADDRESS" in second
    assert services.request == pb.WatchSagasRequest()


def test_watch_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_AGAIN_SECONDS", 0.01)
    first = [pb.WatchSagasResponse(saga=saga(42, **RUNNING)), Unavailable("shutting down")]
    result, services = ask("saga watch", WatchSagas=[first, [pb.WatchSagasResponse(saga=saga(42))]])
    assert (result.code, len(services.requests)) == (0, 2)
    assert "order 42  COMPENSATING" in result.lines[-1]
    assert result.err == "orchestrator_svc has gone away: asking it again for 60 s\n"


def test_watch_gives_one_json_document_a_line() -> None:
    updates = [pb.WatchSagasResponse(saga=saga(n)) for n in (1, 2)]
    result, services = ask("saga watch --stuck --json", WatchSagas=updates)
    assert [one["saga"]["order_id"] for one in result.jsons] == ["1", "2"]
    assert services.request == pb.WatchSagasRequest(filter=pb.SagaFilter(stuck=True))
