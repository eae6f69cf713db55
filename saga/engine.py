"""Runs sagas: a batch of messages in, the commands they bring about out."""

from collections.abc import Sequence

from prometheus_client import Counter

from chassis.logs import logger
from chassis.messages import Message, Outgoing, Record
from chassis.metrics import tally
from chassis.pipeline import Transaction
from saga.advance import advance
from saga.declaration import Saga
from saga.instance import Event, Instance, Status, pending_command
from saga.store import SagaStore
from saga.transition import Fit

log = logger("saga")

_MESSAGES = Counter("ordersaga_saga_messages_total", "Messages to sagas, by how they fitted.", ["fit"])
_ENDED = Counter("ordersaga_sagas_ended_total", "Sagas that came to their end.", ["status"])


class SagaEngine:
    """Advances the sagas of one declaration."""

    def __init__(self, saga: Saga, store: SagaStore) -> None:
        """Run ``saga`` on ``store``."""
        self._saga, self._store = saga, store

    def handle(self, messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        """Advance each message's saga, in the batch's order, and return the pending command of each saga touched.

        Whether a message advanced its saga or not, the saga sends its pending (or final) command, once a batch: that
        is the remedy for whatever was lost.
        """
        loaded, now = self._store.load(tx, {message.record.key for message in messages})
        sagas: dict[int, Instance] = dict(loaded)
        causes: dict[int, Message[Record]] = {}
        events: list[Event] = []
        fits: list[Fit] = []
        for message in messages:
            key = message.record.key
            transition = advance(self._saga, sagas.get(key), message.record, message.message_id, now)
            sagas[key] = transition.saga
            fits.append(transition.fit)
            if transition.event:
                events.append(transition.event)
            if transition.send:
                causes[key] = message
        changed = [sagas[key] for key in sorted({event.saga_id for event in events})]
        self._store.save(tx, changed, loaded, events)
        _count(fits, changed, loaded)
        return [Outgoing(pending_command(self._saga, sagas[key]), cause) for key, cause in causes.items()]


def _count(fits: Sequence[Fit], changed: Sequence[Instance], loaded: dict[int, Instance]) -> None:
    tally(_MESSAGES, fits)
    for instance in changed:
        before = loaded.get(instance.saga_id)
        if instance.ended and (before is None or not before.ended):
            _ENDED.labels(instance.status.value).inc()
            if instance.status is Status.COMPENSATED:
                log.info("saga compensated", saga_id=instance.saga_id, reason=instance.reason)
