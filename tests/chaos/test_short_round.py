"""A short round of the chaos proof on a stack of its own; `make chaos` is the long form."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.chaos.evidence import SERVICES
from tests.chaos.harness import fresh
from tests.chaos.nemeses import CATALOGUE, chosen, schedule
from tests.chaos.nemeses_data import LASTED
from tests.chaos.report import report
from tests.chaos.round import Result, Settings, run

ROUND_SECONDS = 600
KILLS = tuple(f"kill-{service}" for service in SERVICES)
CALLS = {
    "CreateOrder", "CreateOrders", "CancelOrder", "GetOrder", "ListOrders", "WatchOrder", "RestockProduct",
    "GetSaga", "ListSagas", "WatchSagas", "RetrySaga", "RetrySagas", "CancelSaga", "CancelSagas",
}  # fmt: skip
"""What the load is to use, all of it in every round."""


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may do anything to."""
    stack = fresh(tmp_path / "stack")
    stack.remove_databases()
    yield stack
    stack.down()
    stack.remove_databases()


def must_hold(result: Result, tmp_path: Path) -> None:
    """See that every invariant held, that there was something to hold under, and that the report says so."""
    text = report(result, tmp_path / "stack" / "logs")
    (tmp_path / "report.md").write_text(text)
    assert [str(violation) for violation in result.violations] == [], text
    assert result.final_after is not None, text
    assert {name.partition(" ")[0] for name in result.codes} == CALLS, text
    assert {window.kind for window in result.evidence.faults} == {"start", *(fault.kind for fault in result.faults)}
    assert any(row.status == "COMPLETED" for row in result.evidence.rows.orders.values()), text
    assert {fault.error for fault in result.faults} == {""}, text
    assert "every invariant holds" in text
    assert LASTED not in text  # it is filled in


@pytest.mark.timeout(ROUND_SECONDS)
def test_every_invariant_holds_under_faults_of_many_kinds(own_stack: Stack, tmp_path: Path) -> None:
    kinds = (
        "kill-o",
        "restart-kafka",
        "duplicates",
        "poison",
        "topic",
        "restored",
        "clock-b",
        "registry-rebuilt",
        "second-installation",
    )
    result = run(own_stack, Settings(seed=410, duration=80, nemeses=kinds))
    assert {fault.kind for fault in result.faults} == {nemesis.kind for nemesis in chosen(kinds)}
    must_hold(result, tmp_path)


@pytest.mark.timeout(ROUND_SECONDS)
def test_with_two_replicas_of_everything_one_of_each_may_be_killed_while_databases_refuse_and_go_back(
    own_stack: Stack, tmp_path: Path
) -> None:
    kinds = (*KILLS, "read-only", "altered", *(f"goes-back-{service}" for service in SERVICES))
    result = run(own_stack, Settings(seed=7666, duration=60, replicas=2, nemeses=kinds))
    assert {fault.kind for fault in result.faults} == set(kinds)
    assert {back.service for back in result.evidence.went_back} == set(SERVICES)
    must_hold(result, tmp_path)


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    def plan(seed: int) -> list[tuple[str, float, float, str]]:
        return [(f.nemesis.kind, f.at, f.seconds, f.seed) for f in schedule(seed, 600, CATALOGUE)]

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_minutes_hold_thirty_faults_and_every_kind_and_no_two_on_one_part(seed: int) -> None:
    faults = schedule(seed, 600, chosen(()))
    assert len(faults) >= 30
    assert {fault.nemesis for fault in faults} == set(CATALOGUE)
    for part in {part for nemesis in CATALOGUE for part in nemesis.uses}:
        on_it = [fault for fault in faults if part in fault.nemesis.uses]
        assert all(a.at + a.seconds <= b.at for a, b in pairwise(on_it))


@pytest.mark.parametrize("seed", range(20))
def test_a_replica_of_order_svc_is_killed_in_every_run_however_short(seed: int) -> None:
    assert "kill-order_svc" in {fault.nemesis.kind for fault in schedule(seed, 15, CATALOGUE, replicas=2)}


def test_an_unknown_nemesis_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="there is no nemesis 'locusts'"):
        chosen(["locusts"])
