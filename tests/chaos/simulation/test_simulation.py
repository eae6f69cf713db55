"""Hundreds of interleavings of work and faults, none of which may break an invariant.

``SIMULATION_RUNS=100000`` makes it longer, pytest's ``--hypothesis-seed=7`` makes it another. A failing run is shrunk,
kept in ``.hypothesis/simulation`` and tried first the next time; what it prints can be pasted as an ``@example`` here,
where the ones that once failed stay for good.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from ordersaga.messages import CreateDeliveryCommand

from sagakit.testing.world.faults import Fault
from tests.chaos.simulation.actions import (
    DELIVERY,
    ORCHESTRATOR,
    ORDER,
    PRODUCT,
    Action,
    AddPartition,
    Announce,
    AskAgain,
    CancelOrder,
    CancelSaga,
    Contradict,
    DeleteTopic,
    Expire,
    FireTimers,
    GoBack,
    Join,
    Keep,
    Leave,
    Place,
    PlaceTogether,
    Process,
    Progress,
    Relay,
    Repeat,
    Reset,
    RetrySaga,
    Rewind,
    Rubbish,
    Silence,
    Wait,
    Wake,
)
from tests.chaos.simulation.draws import KINDS, RUNS, RUNS_BACK
from tests.chaos.simulation.run import simulate
from tests.chaos.simulation.seams import simulated
from tests.chaos.simulation.world import TOPICS, Kind, World

ROOT = Path(__file__).resolve().parents[3]
RUNS_BY_DEFAULT = 800
"""A quarter of a minute for each test."""

KNOWN = (Wait(1), Wait(1))
"""What was handled before has its offsets stored, and then committed to the broker."""
WANTED = int(os.environ.get("SIMULATION_RUNS", RUNS_BY_DEFAULT))
SECONDS = 60 + WANTED // 10
SEARCH = settings(
    max_examples=WANTED,
    deadline=None,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "simulation"),
    suppress_health_check=[HealthCheck.too_slow],
)
"""How runs are looked for that break an invariant."""


def test_a_run_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    end = World.end

    def ended(world: World) -> None:
        said.append(world.broker.news)
        end(world)

    monkeypatch.setattr(World, "end", ended)
    run: list[Action] = [Process(ORCHESTRATOR, fault=Fault.COMMIT_LOST), Wait(1), Join(PRODUCT), Progress(6)]
    with simulated():
        for _ in range(2):
            assert simulate([Kind.GOOD, Kind.BOX], [run]) == []
    once, again = said
    assert once
    assert once == again


@pytest.mark.timeout(SECONDS)
@SEARCH
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
# Processes that come and go while one stands still, and what it was about to publish when others had its partitions.
@example(
    kinds=[Kind.GOOD, Kind.GOOD],
    runs=[
        [
            Process(ORCHESTRATOR, fault=Fault.STOPPED),
            Join(ORCHESTRATOR),
            Process(ORCHESTRATOR, first=1),
            Wake(ORCHESTRATOR),
        ],
        [Join(PRODUCT), Process(PRODUCT, limit=1), Process(PRODUCT, limit=1, first=1), Leave(PRODUCT), Progress(6)],
    ],
)
# A key that has another partition by the time of its undo, which overtakes the command that it undoes.
@example(
    kinds=[Kind.GOOD] * 3,
    runs=[
        [Progress(3), *(AddPartition(CreateDeliveryCommand.TOPIC),) * 2, Wait(15), CancelOrder(2)],
        [Process(ORCHESTRATOR), *(Process(DELIVERY, limit=1, first=first) for first in (3, 2, 1)), Progress(6)],
    ],
)
# Messages that are deleted once they are consumed, and a group that begins anew behind them.
@example(
    kinds=[Kind.GOOD],
    runs=[[Progress(3), *KNOWN, *(Expire(topic) for topic in TOPICS), Reset(PRODUCT), Reset(DELIVERY), Progress(6)]],
)
# What strangers write, in the midst of good messages.
@example(kinds=[Kind.GOOD], runs=[[Rubbish(1), Progress(2), Contradict(0), Place(Kind.GOOD), Rubbish(2), Progress(6)]])
# Answers that callers do not get: they ask again, and get the order that is theirs.
@example(
    kinds=[Kind.GOOD],
    runs=[
        [PlaceTogether((Kind.GOOD, Kind.BOX), Fault.COMMIT_UNHEARD), AskAgain(1), AskAgain(2), AskAgain(1), Progress(6)]
    ],
)
def test_no_interleaving_breaks_an_invariant(kinds: list[Kind], runs: list[list[Action]]) -> None:
    with simulated():
        assert simulate(kinds, runs) == []


@pytest.mark.timeout(SECONDS)
@SEARCH
@given(kinds=KINDS, runs=RUNS_BACK)
# A saga that is forgotten, wholly or in part, and then cancelled by its customer or by an operator. The operator comes
# when the broker knows of what is missing: nothing else could hold the cancel up.
@example(kinds=[Kind.GOOD], runs=[[Progress(4), GoBack(ORCHESTRATOR), CancelOrder(0)]])
@example(kinds=[Kind.GOOD], runs=[[Progress(6), *KNOWN, GoBack(ORCHESTRATOR), CancelSaga(0), FireTimers(hasty=True)]])
@example(
    kinds=[Kind.GOOD],
    runs=[
        [Progress(2), Keep(ORCHESTRATOR), Progress(6), *KNOWN, GoBack(ORCHESTRATOR), CancelSaga(0)],
        [Wait(3600), FireTimers()],
    ],
)
# A delivery that is forgotten, and asked for again, whether its offset was stored or not.
@example(kinds=[Kind.GOOD], runs=[[Progress(6), GoBack(DELIVERY)]])
@example(kinds=[Kind.GOOD], runs=[[Progress(6), *KNOWN, GoBack(DELIVERY)]])
@example(kinds=[Kind.GOOD], runs=[[Progress(3), *KNOWN, Keep(DELIVERY), Process(DELIVERY), GoBack(DELIVERY)]])
# A process that remembers a saga as a database had it that went back, which has another of the same version now.
@example(
    kinds=[Kind.BOX],
    runs=[
        [Progress(5), Process(PRODUCT, fault=Fault.BEFORE_PUBLISH), Process(PRODUCT, fault=Fault.IN_PUBLISH)],
        [GoBack(ORCHESTRATOR), Process(ORCHESTRATOR)],
    ],
)
def test_databases_that_go_back_break_none_either(kinds: list[Kind], runs: list[list[Action]]) -> None:
    with simulated():
        assert simulate(kinds, runs) == []
