"""Sagas that this version does not understand: a later version's, after a roll-back, or rows changed by hand.

Such a saga keeps no other from going on. It is flagged on its row with the reason, shown, counted, and left as it is.
It goes on by itself once a version runs that understands it, or once its row is mended: its command is sent again, and
its start is announced again.
"""

from collections.abc import Mapping

from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger, one_line
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Instance, pending_command, remaining_steps

log = logger("saga")

NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
"""Reason of a refusal: this version does not understand the saga."""


def fault_of(saga: Saga, instance: Instance) -> str | None:
    """Return why this version does not understand ``instance``; None where it does."""
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
    except Exception as error:  # noqa: BLE001 - a declaration may fail in any way for a row that it was not made for
        return f"this version cannot go on with it: {one_line(error) or type(error).__name__}"
    return None


def faults_in(saga: Saga, instances: Mapping[int, Instance]) -> dict[int, str]:
    """Return those of ``instances`` that this version does not understand, by id, with the reason."""
    return {one: why for one, instance in instances.items() if (why := fault_of(saga, instance))}


def flag(tx: Transaction, store: SagaStore, faults: Mapping[int, str]) -> None:
    """Flag sagas on their rows with the reason, and log those that were not flagged with it before."""
    for row in store.flag(tx, faults):
        log.error("nothing can be made of a saga", saga_id=row.saga_id, reason=faults[row.saga_id])
