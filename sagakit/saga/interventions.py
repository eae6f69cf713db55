"""What an operator can do to a saga: have its command sent again, or have it undone. Pure, like `sagakit.saga.advance`.

Nothing is sent here: the saga's deadline is set to now, and the timer sends the command.
"""

from datetime import datetime

from sagakit.errors import Refused
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import EventType, Instance
from sagakit.saga.transition import Moves, Transition

TOO_LATE = "TOO_LATE"
"""Reason of a refusal: the saga is past its pivot, and only goes forward."""


def retry(saga: Saga, instance: Instance, note: str, now: datetime) -> Transition:
    """Have the pending command (or an ended saga's final one) sent again, and count its attempts from the start.

    ``note`` says who asks and why, for the history.
    """
    asked = {"attempt": 0 if instance.step else instance.attempt, "deadline": now, "stuck": False}
    moves = Moves(saga, instance.moment(now))
    return moves.with_event(instance, asked, EventType.RETRIED, step=instance.step, reason=note)


def cancel(saga: Saga, instance: Instance, note: str, now: datetime) -> Transition | None:
    """Have every step up to the pivot undone, as `Moves.undo_all` does; None where the saga compensates already.

    Raises:
        Refused: TOO_LATE, the saga is past its pivot, or completed.
    """
    if instance.compensates:
        return None
    cancelled = Moves(saga, instance.moment(now)).cancel(instance, note, attempt=0, deadline=now)
    if cancelled is None:
        where = "is COMPLETED" if instance.step is None else f"is past its pivot, at {instance.step}"
        raise Refused(TOO_LATE, f"saga {instance.saga_id} {where}: it cannot be cancelled any more")
    return cancelled
