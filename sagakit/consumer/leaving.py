"""Leaves a consumer group, and does not wait for ever.

A client that has lost every broker (`sagakit.kafka.lost_brokers`) cannot leave: it looks for the group's coordinator as
long as its process lives, and its ``close`` does not return. The group gives such a member up by itself.
"""

import threading

from confluent_kafka import Consumer

from sagakit.runtime.logs import logger

log = logger("consumer")


def leave(consumer: Consumer, seconds: float) -> None:
    """Close ``consumer``, in a thread of its own; return when that is done, or after ``seconds``.

    The client's callbacks run in that thread. They may still run after this has returned, so a callback has to check
    that the client which calls it is the present one.
    """
    closing = threading.Thread(target=consumer.close, name="leaving", daemon=True)
    closing.start()
    closing.join(seconds)
    if closing.is_alive():
        log.warning("a client that reaches no coordinator is given up", waited_seconds=seconds)
