"""The crash points, set into the seams of the production code: its codec, its commits, and Kafka's two clients.

A point is named ``<where>:<moment>``; see `faulty_fuse.where`. Those around commits are in `faulty_commits`.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import Producer as KafkaProducer

import sagakit.consumer.consumer
import sagakit.consumer.membership
import sagakit.kafka.producer
from sagakit.avro.codec import Codec
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.offsets.handled import Offsets
from sagakit.records import Record
from tests.chaos import faulty_commits
from tests.chaos.faulty_fuse import ORIGIN, Fuse, where

_ACKNOWLEDGED_SECONDS = 10

Report = Callable[[KafkaError | None, Any], None]
"""What Kafka's producer calls with the fate of a message."""


def set_in(fuse: Fuse) -> None:
    """Patch every seam, so that each point asks ``fuse`` whether it is to happen."""
    _decoding(fuse)
    faulty_commits.set_in(fuse)
    _publishing(fuse)
    _reporting(fuse)
    _keeping_offsets(fuse)


def _decoding(fuse: Fuse) -> None:
    """``after-decode``: a message has become a record, nothing else has happened yet."""
    decode = Codec.decode

    def faulty(self: Codec, *message: Any, **more: Any) -> Record:
        record = decode(self, *message, **more)
        fuse.dies(f"{where()}:after-decode")
        return record

    Codec.decode = faulty  # type: ignore[method-assign] # that is what a fault build does


def _publishing(fuse: Fuse) -> None:
    """Around publishing: ``before-publish`` nothing is sent, ``after-ack`` everything is, and acknowledged.

    While a point of the relay is armed, the fast path reaches nobody, so that the relay has work. ``late:<topic>``
    holds back what is for that topic, and calls it acknowledged, until ``let-go`` is armed: others may overtake it.
    """
    deliver = Producer.deliver

    def faulty(self: Producer, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        place = where()
        fuse.dies(f"{place}:before-publish")
        if place == ORIGIN and fuse.armed.startswith("relay:"):
            raise Unavailable("the fast path is closed")
        if any(fuse.blows(f"{place}:late:{topic}") for topic in {message.topic for message in messages}):
            _hold_back(fuse, f"{place}:let-go", lambda: deliver(self, messages, _ACKNOWLEDGED_SECONDS))
            return
        deliver(self, messages, seconds)
        fuse.dies(f"{place}:after-ack")

    Producer.deliver = faulty  # type: ignore[method-assign] # that is what a fault build does


def _hold_back(fuse: Fuse, point: str, deliver: Callable[[], None]) -> None:
    """Deliver once ``point`` is armed, and blow it when Kafka has the messages."""

    def wait() -> None:
        while fuse.armed != point:
            time.sleep(0.02)
        deliver()
        fuse.blows(point)

    threading.Thread(target=wait, name="late", daemon=True).start()


def _reporting(fuse: Fuse) -> None:
    """Where Kafka has a message: ``after-publish`` before its report is looked at, or ``publish-unheard``.

    The latter reports a time-out for a message that Kafka has.
    """

    class FaultyProducer(KafkaProducer):
        """Kafka's producer, with what it reports spoilt once."""

        def produce(  # type: ignore[override] # as sagakit.kafka.producer calls it
            self, topic: str, *, on_delivery: Report, **message: Any
        ) -> None:
            place = where()

            def report(error: KafkaError | None, delivered: Any) -> None:
                if error is None:
                    fuse.dies(f"{place}:after-publish")
                    if fuse.blows(f"{place}:publish-unheard"):
                        error = KafkaError(KafkaError._MSG_TIMED_OUT)  # noqa: SLF001 - its public name
                on_delivery(error, delivered)

            super().produce(topic, on_delivery=report, **message)

    setattr(sagakit.kafka.producer, "KafkaProducer", FaultyProducer)  # noqa: B010 - its name there is its own


def _keeping_offsets(fuse: Fuse) -> None:
    """``before-offset-commit``: a batch's effects and answers are out, its offsets are not committed.

    A commit of partitions' ends alone, in which no message has been handled, is not that point.
    """
    uncommitted: list[object] = []

    class FaultyOffsets(Offsets):
        """The offsets of batches, which show that one was handled."""

        def add(self, batch: Sequence[KafkaMessage]) -> None:
            super().add(batch)
            uncommitted.append(batch)

    class FaultyConsumer(KafkaConsumer):
        """Kafka's consumer, that may not live to commit."""

        def commit(self, *arguments: Any, **options: Any) -> Any:
            if uncommitted:
                fuse.dies(f"{where()}:before-offset-commit")
                uncommitted.clear()
            return super().commit(*arguments, **options)

    setattr(sagakit.consumer.consumer, "Offsets", FaultyOffsets)  # noqa: B010 - its name there is its own
    setattr(sagakit.consumer.membership, "KafkaConsumer", FaultyConsumer)  # noqa: B010 - its name there is its own
