"""Sagas of which this version can make nothing: a later version's, after a roll-back, or rows changed by hand.

One bad saga is one bad saga. It is flagged on its own row with the reason, shown, counted, and left as it is; all
others go on. Once a version runs that knows it, or its row is mended, it goes on by itself: what it missed comes again,
as its command is sent again and its start is announced again.
"""

from collections.abc import Mapping

from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger, one_line
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Instance, pending_command, remaining_steps

log = logger("saga")

NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
"""Reason of a refusal: this version can make nothing of the saga."""


def fault_of(saga: Saga, instance: Instance) -> str | None:
    """Return why this version can make nothing of ``instance``; None where it can."""
    if instance.fault:
        return instance.fault
    start = instance.start
    if start is not None and start.key != instance.saga_id:
        return f"its start is another saga's, {start.key}"
    if start is not None and (beyond := start.out_of_range()):
        return f"its start cannot be read: {beyond}"
    try:
        pending_command(saga, instance)
        remaining_steps(saga, instance)
    except Exception as error:  # noqa: BLE001 - whatever a declaration trips over in a row that it was not made for
        return f"this version cannot go on with it: {one_line(error) or type(error).__name__}"
    return None


def faults_in(saga: Saga, instances: Mapping[int, Instance]) -> dict[int, str]:
    """Return those of ``instances`` of which this version can make nothing, by id, with the reason."""
    return {one: why for one, instance in instances.items() if (why := fault_of(saga, instance))}


def flag(tx: Transaction, store: SagaStore, faults: Mapping[int, str]) -> None:
    """Flag sagas on their rows with the reason, and log those of which it is new."""
    for row in store.flag(tx, faults):
        log.error("nothing can be made of a saga", saga_id=row.saga_id, reason=faults[row.saga_id])
