"""The saga is drawn from its declaration, with the sagas that wait at each step, and each number leads to its list."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations, pairwise

import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from console_svc import drawing
from console_svc.drawing import Drawing
from console_svc.kafka import KafkaView
from console_svc.pace import Pace
from console_svc.pulse import Pulse, ServiceState

BOTH = pytest.mark.parametrize("draw", [drawing.lying, drawing.upright], ids=["lying", "upright"])
Draw = Callable[[Pulse, steps_pb2.GetSagaDeclarationResponse], Drawing]


def declared(*names: str, pivot: str = "") -> steps_pb2.GetSagaDeclarationResponse:
    made = [
        steps_pb2.SagaStep(name=name, command=f"{name}Command", undo_command=f"Undo{name}Command", pivot=name == pivot)
        for name in names
    ]
    return steps_pb2.GetSagaDeclarationResponse(name="trip", start="TripRequested", steps=made)


def pulse(*counts: pb.SagaCount, **others: object) -> Pulse:
    given = {
        "at": datetime.now(UTC),
        "services": (ServiceState("order_svc", "127.0.0.1:1", "ready"),),
        "counts": counts,
        "more": False,
        "declaration": None,
        "trouble": "",
        "kafka": KafkaView(),
        "pace": Pace().now(),
    }
    return Pulse(**{**given, **others})  # type: ignore[arg-type] # each has its field's type


WAITING = pb.SagaCount(status=pb.SAGA_STATUS_RUNNING, step="b", count=3)
LATE = pb.SagaCount(status=pb.SAGA_STATUS_RUNNING, step="b", retrying=True, count=2)
STUCK = pb.SagaCount(status=pb.SAGA_STATUS_COMPENSATING, step="a", stuck=True, retrying=True, count=1)


@BOTH
def test_each_step_and_each_undo_has_a_box_with_the_sagas_that_wait_there(draw: Draw) -> None:
    boxes = {(box.name, box.undo): box for box in draw(pulse(WAITING, LATE, STUCK), declared("a", "b", "c")).boxes}
    assert len(boxes) == 6
    there = boxes["b", False]
    assert (there.standing.total, there.standing.retrying, there.standing.stuck) == (5, 2, 0)
    assert there.href(retrying="yes") == "/sagas?status=RUNNING&step=b&retrying=yes"
    assert boxes["a", True].standing.stuck == 1
    assert boxes["a", True].href() == "/sagas?status=COMPENSATING&step=a"
    assert boxes["a", False].standing.total == 0


@BOTH
@pytest.mark.parametrize("steps", ["a", "ab", "abcdefg"], ids=len)
def test_nothing_lies_on_anything_or_outside(draw: Draw, steps: str) -> None:
    drawn = draw(pulse(), declared(*steps, pivot=steps[-1]))
    areas = [(box.x, box.y, box.width, drawing.HEIGHT) for box in drawn.boxes]
    areas += [(pill.x, pill.y, pill.width, 36) for pill in drawn.pills]
    for x, y, width, height in areas:
        assert x >= 0
        assert y >= 0
        assert x + width <= drawn.width
        assert y + height <= drawn.height
    for one, other in combinations(areas, 2):
        beside = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
        above = one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1]
        assert beside or above
    assert drawn.pivot is not None


@BOTH
def test_steps_stand_in_the_order_of_their_declaration(draw: Draw) -> None:
    steps = [box for box in draw(pulse(), declared("z", "m", "a")).boxes if not box.undo]
    assert [box.name for box in steps] == ["z", "m", "a"]
    assert all((one.x, one.y) < (two.x, two.y) for one, two in pairwise(steps))


AWAY = ServiceState("delivery_svc", "127.0.0.1:2", "away")
VERDICTS = {
    "all is well": (pulse(WAITING), "good", "All is well."),
    "retrying": (pulse(LATE), "late", "2 sagas wait longer than usual"),
    "stuck": (pulse(STUCK, LATE), "bad", "1 saga is stuck"),
    "a service is away": (pulse(STUCK, services=(AWAY,)), "bad", "delivery_svc is not ready."),
    "no Kafka": (pulse(kafka=KafkaView(trouble="Kafka cannot be reached.")), "bad", "Kafka cannot be reached."),
    "no orchestrator": (pulse(trouble="It does not answer."), "bad", "It does not answer."),
}


@pytest.mark.parametrize(("now", "tone", "said"), VERDICTS.values(), ids=VERDICTS)
def test_how_things_are_is_said_in_one_sentence_the_worst_first(now: Pulse, tone: str, said: str) -> None:
    assert now.tone == tone
    assert now.verdict.startswith(said)
