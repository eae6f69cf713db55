"""The saga as a drawing: where its boxes and arrows are, lying for a wide screen and standing for a narrow one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from console_svc.pulse import Pulse, Standing

WIDTH: Final = 184
HEIGHT: Final = 76
_PILL_HEIGHT: Final = 36
_GAP: Final = 46
_ROOM: Final = 8
_LANES: Final = 56
_STANDING_WIDTH: Final = 164


@dataclass(frozen=True)
class Box:
    """A step, or its undo, and the sagas that wait there."""

    x: int
    y: int
    width: int
    name: str
    command: str
    standing: Standing
    status: str
    undo: bool

    def href(self, **more: str) -> str:
        """Return the address of the list of these sagas."""
        return "/sagas?" + urlencode({"status": self.status, "step": self.name, **more})


@dataclass(frozen=True)
class Pill:
    """The beginning of a saga, or one of its ends."""

    x: int
    y: int
    width: int
    text: str
    href: str
    tone: str


@dataclass(frozen=True)
class Arrow:
    """From one of these to another."""

    path: str
    undo: bool


@dataclass(frozen=True)
class Drawing:
    """All of it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    pills: tuple[Pill, ...]
    arrows: tuple[Arrow, ...]
    pivot: tuple[int, int, int, int] | None
    """The line behind which a saga only goes forward; None where there is no step behind it."""
    standing: bool


def lying(pulse: Pulse, declaration: steps_pb2.GetSagaDeclarationResponse) -> Drawing:
    """Return the drawing from left to right."""
    steps, column = declaration.steps, WIDTH + _GAP
    below, middle = _ROOM + HEIGHT + _LANES, HEIGHT // 2
    pill = 118
    lefts = [_ROOM + pill + _GAP + at * column for at in range(len(steps))]
    last = lefts[-1] + WIDTH if lefts else _ROOM + pill
    top = _ROOM + middle - _PILL_HEIGHT // 2
    pills = _pills(declaration, (_ROOM, top), (last + _GAP, top), (_ROOM, below + middle - _PILL_HEIGHT // 2), pill)
    forward = [_ROOM + pill, *(left + WIDTH for left in lefts)]
    arrows = [
        *(Arrow(f"M{start} {_ROOM + middle}h{_GAP - 3}", undo=False) for start in forward),
        *(Arrow(f"M{left} {below + middle}h-{_GAP - 3}", undo=True) for left in lefts),
        *(Arrow(f"M{left + WIDTH // 2} {_ROOM + HEIGHT}v{_LANES - 3}", undo=True) for left in lefts),
    ]
    pivot = next((at for at, step in enumerate(steps) if step.pivot), None)
    edge = None
    if pivot is not None:
        x = lefts[pivot] + WIDTH + _GAP // 2
        edge = (x, _ROOM, x, below + HEIGHT)
    places = [((left, _ROOM), (left, below)) for left in lefts]
    boxes = tuple(_boxes(pulse, declaration, places, WIDTH))
    width, height = last + _GAP + pill + _ROOM, below + HEIGHT + _ROOM
    return Drawing(width, height, boxes, pills, tuple(arrows), edge, standing=False)


def upright(pulse: Pulse, declaration: steps_pb2.GetSagaDeclarationResponse) -> Drawing:
    """Return the drawing from top to bottom."""
    steps, row = declaration.steps, HEIGHT + _GAP
    left, right = _ROOM, _ROOM + _STANDING_WIDTH + 32
    tops = [_ROOM + _PILL_HEIGHT + _GAP + at * row for at in range(len(steps))]
    end = (tops[-1] + HEIGHT if tops else _ROOM + _PILL_HEIGHT) + _GAP
    pills = _pills(declaration, (left, _ROOM), (left, end), (right, _ROOM), _STANDING_WIDTH)
    half = _STANDING_WIDTH // 2
    arrows = [
        *(
            Arrow(f"M{left + half} {start}v{_GAP - 3}", undo=False)
            for start in (_ROOM + _PILL_HEIGHT, *(top + HEIGHT for top in tops))
        ),
        *(Arrow(f"M{right + half} {top}v-{_GAP - 3}", undo=True) for top in tops),
        *(Arrow(f"M{left + _STANDING_WIDTH} {top + HEIGHT // 2}h{32 - 3}", undo=True) for top in tops),
    ]
    pivot = next((at for at, step in enumerate(steps) if step.pivot), None)
    edge = None
    if pivot is not None:
        y = tops[pivot] + HEIGHT + _GAP // 2
        edge = (left, y, right + _STANDING_WIDTH, y)
    places = [((left, top), (right, top)) for top in tops]
    boxes = tuple(_boxes(pulse, declaration, places, _STANDING_WIDTH))
    width = right + _STANDING_WIDTH + _ROOM
    return Drawing(width, end + _PILL_HEIGHT + _ROOM, boxes, pills, tuple(arrows), edge, standing=True)


def _pills(
    declaration: steps_pb2.GetSagaDeclarationResponse,
    start: tuple[int, int],
    completed: tuple[int, int],
    undone: tuple[int, int],
    width: int,
) -> tuple[Pill, ...]:
    return (
        Pill(*start, width, declaration.start, "/sagas", "start"),
        Pill(*completed, width, "completed", "/sagas?status=COMPLETED", "good"),
        Pill(*undone, width, "compensated", "/sagas?status=COMPENSATED", "undo"),
    )


def _boxes(
    pulse: Pulse,
    declaration: steps_pb2.GetSagaDeclarationResponse,
    places: list[tuple[tuple[int, int], tuple[int, int]]],
    width: int,
) -> Iterator[Box]:
    for step, (do, undo) in zip(declaration.steps, places, strict=True):
        for status, (x, y), command, back in (
            (pb.SAGA_STATUS_RUNNING, do, step.command, False),
            (pb.SAGA_STATUS_COMPENSATING, undo, step.undo_command, True),
        ):
            name = pb.SagaStatus.Name(status).removeprefix("SAGA_STATUS_")
            standing = pulse.at_step(step.name, status)
            yield Box(x, y, width, step.name, command, standing, name, undo=back)
