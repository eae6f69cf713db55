"""``ordersaga saga top``: one look without a terminal; on one a live view, until q or Ctrl-C."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from devstack.layout import ROOT
from sagakit.errors import Unavailable
from tests.support.line import NOWHERE
from tests.unit.ordersaga_cli.line import Typed, at, typed
from tests.unit.ordersaga_cli.services import Services, serving
from tests.unit.ordersaga_cli.test_saga_commands import RUNNING, saga, when

FORWARD = {"status": pb.SAGA_STATUS_RUNNING, "step": "create-delivery"}
COUNTS = pb.CountSagasResponse(
    counts=[
        pb.SagaCount(**FORWARD, count=7),  # type: ignore[arg-type] # by name
        pb.SagaCount(**FORWARD, retrying=True, count=2),  # type: ignore[arg-type] # by name
        pb.SagaCount(status=pb.SAGA_STATUS_COMPENSATING, step="decrease-product", stuck=True, count=1),
    ]
)


def lists(*waiting: pb.Saga) -> Callable[[pb.ListSagasRequest], pb.ListSagasResponse]:
    """Answer as the orchestrator does: by status, and by the least age."""

    def answer(request: pb.ListSagasRequest) -> pb.ListSagasResponse:
        fit = [
            one
            for one in waiting
            if request.status in {pb.SAGA_STATUS_UNSPECIFIED, one.status}
            and one.create_time.seconds <= when(-request.min_age.seconds).seconds
        ]
        return pb.ListSagasResponse(sagas=fit[: request.page_size])

    return answer


def ask(line: str, **answers: object) -> Typed:
    with serving(Services(**{"CountSagas": COUNTS, "ListSagas": lists(saga()), **answers})) as address:
        return typed(line, at(address))


def test_one_look_has_counts_by_step_and_the_sagas_that_wait() -> None:
    shown = ask("saga top")
    assert shown.code == 0
    assert re.match(r"\d\d:\d\d:\d\d UTC  10 under way, 2 retrying, 1 stuck; 0\.0 begun/s$", shown.lines[0])
    rows = [line.split() for line in shown.lines[2:5]]
    assert rows == [
        ["status", "step", "waiting", "retrying", "stuck"],
        ["RUNNING", "create-delivery", "7", "2", "0"],
        ["COMPENSATING", "decrease-product", "0", "0", "1"],
    ]
    assert "no reply, attempt 5" in shown.lines[-1]


def test_where_nothing_is_under_way_it_says_so() -> None:
    shown = ask("saga top", CountSagas=pb.CountSagasResponse(), ListSagas=pb.ListSagasResponse())
    assert "0 under way, 0 retrying, 0 stuck; 0.0 begun/s" in shown.lines[0]
    assert shown.err == "There are none.\n"


def test_counts_of_some_sagas_are_not_told_as_those_of_all() -> None:
    counted = pb.CountSagasResponse(counts=COUNTS.counts, more=True)
    assert "more than 10 under way" in ask("saga top", CountSagas=counted).lines[0]


def test_it_shows_how_many_sagas_begin_in_a_second() -> None:
    young = [saga(number, create_time=when(-0.5)) for number in range(1, 31)]
    assert ask("saga top --json", ListSagas=lists(*young)).json["begun_per_second"] == 3.0


def test_where_there_are_more_than_it_reads_the_rate_goes_by_the_newest() -> None:
    young = [saga(number, create_time=when(-0.5)) for number in range(1, 700)]
    rate = ask("saga top --json", ListSagas=lists(*young)).json["begun_per_second"]
    assert 1 < rate <= 1000  # 500 within half a second, or what has passed since


def test_those_that_have_waited_longest_come_first_however_old_they_are() -> None:
    sagas = [
        *(saga(number, create_time=when(-90_000), waiting_since=when(-number)) for number in range(1, 12)),
        saga(100, **{**RUNNING, "create_time": when(-4000), "waiting_since": when(-3900)}),
        saga(101, create_time=when(-30), waiting_since=when(-20)),
    ]
    longest = ask("saga top --json", ListSagas=lists(*sagas)).json["longest_waiting"]
    assert [int(one["order_id"]) for one in longest] == [100, 101, *range(11, 3, -1)]


def test_a_first_look_that_fails_ends_it_with_one_sentence() -> None:
    failed = ask("saga top", CountSagas=Unavailable("the database cannot be reached; try again"))
    assert failed.code == 1
    assert failed.err == "ordersaga: the database cannot be reached; try again (UNAVAILABLE)\n"


class Screen:
    """``ordersaga saga top`` on a terminal of its own."""

    def __init__(self, address: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, **NOWHERE, **at(address), "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ordersaga_cli", "saga", "top"],
            cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def shows(self, pattern: str) -> bool:
        """Read until what was written has ``pattern``; say whether that came."""
        give_up = time.monotonic() + 60
        while not re.search(pattern, self.seen) and time.monotonic() < give_up:
            if select.select([self._ours], [], [], 1)[0]:
                try:
                    self.seen += os.read(self._ours, 65_536).decode(errors="replace")
                except OSError:  # the program has ended
                    break
        return re.search(pattern, self.seen) is not None

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def on_screen(story: Callable[[Screen], None], **answers: object) -> None:
    with serving(Services(**{"CountSagas": COUNTS, "ListSagas": lists(saga()), **answers})) as address:
        screen = Screen(address)
        try:
            story(screen)
        finally:
            screen.close()


@pytest.mark.parametrize("ending", ["q", "Ctrl-C"])
def test_on_a_terminal_it_looks_again_and_again_until_a_key_ends_it(ending: str) -> None:
    looks: list[Any] = []

    def counted(_: object) -> pb.CountSagasResponse:
        looks.append(None)
        return pb.CountSagasResponse(counts=[pb.SagaCount(**FORWARD, count=100 + len(looks))])  # type: ignore[arg-type] # by name

    def story(screen: Screen) -> None:
        assert screen.shows("101 under way"), screen.seen
        assert screen.shows("10[2-9] under way"), screen.seen
        if ending == "q":
            screen.press(b"xq")
        else:
            os.kill(screen.process.pid, 2)
        assert screen.shows(r"\x1b\[\?1049l"), screen.seen  # the screen from before is back
        assert screen.process.wait(60) == 0

    on_screen(story, CountSagas=counted)


def test_a_later_look_that_fails_is_told_and_the_view_goes_on() -> None:
    looks: list[Any] = []

    def counted(_: object) -> pb.CountSagasResponse | Exception:
        looks.append(None)
        return Unavailable("the database cannot be reached; try again") if len(looks) == 2 else COUNTS

    def story(screen: Screen) -> None:
        assert screen.shows("the database cannot be reached"), screen.seen
        screen.seen = ""
        assert screen.shows("q or Ctrl-C ends"), screen.seen
        screen.press(b"q")
        assert screen.process.wait(60) == 0

    on_screen(story, CountSagas=counted)
