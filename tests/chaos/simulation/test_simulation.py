"""Thousands of interleavings of work and faults, none of which may break an invariant.

``SIMULATION_RUNS=100000`` makes it longer, pytest's ``--hypothesis-seed=7`` makes it another. A failing run is shrunk,
kept in ``.hypothesis/simulation`` and tried first the next time; what it prints can be pasted as an ``@example`` here,
where the ones that once failed stay for good.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.chaos.simulation.actions import (
    DELIVERY,
    KINDS,
    ORCHESTRATOR,
    ORDER,
    PRODUCT,
    RUNS,
    RUNS_BACK,
    TOPICS,
    Action,
    Announce,
    CancelOrder,
    CancelSaga,
    DeleteTopic,
    FireTimers,
    GoBack,
    Keep,
    Place,
    Process,
    Progress,
    Relay,
    Repeat,
    RetrySaga,
    Rewind,
    Silence,
    Wait,
    Wake,
)
from tests.chaos.simulation.run import simulate
from tests.chaos.simulation.services import Fault
from tests.chaos.simulation.stores import in_memory
from tests.chaos.simulation.world import Kind

ROOT = Path(__file__).resolve().parents[3]
RUNS_BY_DEFAULT = 2000
"""Half a minute on two busy cores."""

wanted = int(os.environ.get("SIMULATION_RUNS", RUNS_BY_DEFAULT))


@pytest.mark.timeout(60 + wanted // 10)
@settings(
    max_examples=wanted,
    deadline=None,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "simulation"),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(kinds=KINDS, runs=RUNS)
# A forward command that was committed, not sent, and comes after its own undo.
@example(kinds=[Kind.GOOD], runs=[[Progress(2), Process(ORCHESTRATOR, fault=Fault.STOPPED), CancelOrder(0)]])
@example(kinds=[Kind.GOOD], runs=[[Process(ORCHESTRATOR, fault=Fault.STOPPED), CancelSaga(0), FireTimers()]])
# A delivery that was made, its reply unread when the saga gives up; and one that was refused.
@example(kinds=[Kind.GOOD, Kind.BOX], runs=[[Progress(4), Silence(6)]])
# Every undo's attempts used up: stuck, and mended all the same.
@example(kinds=[Kind.GOOD], runs=[[Progress(3), Silence(12), RetrySaga(0), FireTimers()]])
# Everything that was ever said, lost; and everything said twice, long after the end.
@example(kinds=[Kind.GOOD, Kind.BIG, Kind.TOO_BIG], runs=[[Progress(3), *(DeleteTopic(topic) for topic in TOPICS)]])
@example(kinds=[Kind.GOOD], runs=[[Progress(6), *(Rewind(service, 500) for service in range(4)), Repeat(0), Repeat(1)]])
# An order that only its outbox and its announcement know of.
@example(
    kinds=[Kind.GOOD],
    runs=[
        [Place(Kind.GOOD, Fault.BEFORE_PUBLISH), CancelOrder(1, Fault.BEFORE_PUBLISH), Wait(300), Announce(), Relay()]
    ],
)
# Two crashes of each participant on the way, the clock a day back in between.
@example(
    kinds=[Kind.GOOD],
    runs=[
        [Process(ORCHESTRATOR, fault=Fault.BEFORE_COMMIT), Progress(1), Process(PRODUCT, fault=Fault.BEFORE_OFFSETS)],
        [Wait(-86_400), Process(PRODUCT, fault=Fault.BEFORE_PUBLISH), Progress(3)],
        [Process(DELIVERY, fault=Fault.IN_PUBLISH), Process(DELIVERY, fault=Fault.STOPPED), Progress(6)],
        [Process(ORDER, fault=Fault.BEFORE_OFFSETS), Wake(DELIVERY)],
    ],
)
def test_no_interleaving_breaks_an_invariant(kinds: list[Kind], runs: list[list[Action]]) -> None:
    with in_memory():
        assert simulate(kinds, runs) == []


@pytest.mark.timeout(60 + wanted // 10)
@settings(
    max_examples=wanted,
    deadline=None,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "simulation"),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(kinds=KINDS, runs=RUNS_BACK)
# A saga that is forgotten, wholly or in part, and then cancelled by its customer or by an operator.
@example(kinds=[Kind.GOOD], runs=[[Progress(4), GoBack(ORCHESTRATOR), CancelOrder(0)]])
@example(kinds=[Kind.GOOD], runs=[[Progress(6), GoBack(ORCHESTRATOR), CancelSaga(0), FireTimers(hasty=True)]])
@example(
    kinds=[Kind.GOOD],
    runs=[
        [Progress(2), Keep(ORCHESTRATOR), Progress(6), GoBack(ORCHESTRATOR), CancelSaga(0), Wait(3600), FireTimers()]
    ],
)
# A delivery that is forgotten, and asked for again.
@example(kinds=[Kind.GOOD], runs=[[Progress(6), GoBack(DELIVERY)]])
def test_databases_that_go_back_break_none_either(kinds: list[Kind], runs: list[list[Action]]) -> None:
    with in_memory():
        assert simulate(kinds, runs) == []
