"""What the order saga's declaration and the services' manifests let a test expect: a new step is expected by itself."""

from collections.abc import Sequence

from devstack.layout import MANIFESTS
from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.records import Record

TOPICS = tuple(topic for manifest in MANIFESTS.values() for topic in manifest.topics)
"""The topics of the business."""
CONSUMED = [(name, topic) for name, manifest in MANIFESTS.items() for topic in manifest.topics]
"""Each consumer group with each topic that it reads."""
STEPS = [step.name for step in ORDER_SAGA.steps]

_COMMANDS = ORDER_SAGA.commands
*_PAIRS, (_COMPLETED, _COMPENSATED) = zip(_COMMANDS[::2], _COMMANDS[1::2], strict=True)
_DONE = [(do, step.done) for step, (do, _) in zip(ORDER_SAGA.steps, _PAIRS, strict=True)]
_UNDONE = [(undo, step.undone) for step, (_, undo) in zip(ORDER_SAGA.steps, _PAIRS, strict=True)]


def completed() -> list[type[Record]]:
    """Return the messages of a saga that is completed."""
    return [ORDER_SAGA.start, *_flat(_DONE), _COMPLETED]


def refused(step: str) -> list[type[Record]]:
    """Return the messages of a saga of which ``step`` is refused: what was done before is undone, the last first."""
    at = ORDER_SAGA.position(step)
    return [ORDER_SAGA.start, *_flat(_DONE[: at + 1]), *_flat(_UNDONE[:at][::-1]), _COMPENSATED]


def _flat(pairs: Sequence[tuple[type[Record], type[Record]]]) -> list[type[Record]]:
    return [record for pair in pairs for record in pair]
