"""Faults of topics: made anew, given more partitions, records written again and out of order, poison."""

import struct
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.chaos.evidence import TOPICS, Record
from tests.chaos.stage import Stage
from tests.support import trust

_MORE_PARTITIONS = 3
_RETENTION_MS = "604800000"
_MOST_AGAIN = 60
_COMMITTED_SECONDS = 1.0
_RETRY_SECONDS = 30.0

Raw = tuple[str, bytes | None, bytes | None, Mapping[str, bytes]]
"""A topic, a key, a value and headers."""


@contextmanager
def remade(stage: Stage, random: Random) -> Iterator[str]:
    """Delete a business topic, and make it anew with its settings."""
    topic = random.choice(TOPICS)
    with stage.recorder.remaking(topic):
        remake(stage.stack.bootstrap, topic)
    yield f"{topic} deleted and made anew"


def remake(bootstrap: str, topic: str) -> None:
    """Delete ``topic`` and make it anew, with as many partitions; a second passes in between, as operators wait.

    A commit names a topic, not which of that name: one for the old topic must not come when the new one is there.

    Raises:
        KafkaException: it could not be done in time.
    """
    admin = AdminClient({**trust.kafka(bootstrap), "log_level": 0})
    partitions = len(admin.list_topics(topic, timeout=10).topics[topic].partitions)
    for future in admin.delete_topics([topic], operation_timeout=15).values():
        future.result(20)
    time.sleep(_COMMITTED_SECONDS)
    give_up = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            new = NewTopic(topic, partitions, 1, config={"retention.ms": _RETENTION_MS})
            admin.create_topics([new])[topic].result(15)
        except KafkaException:  # it is still being deleted
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
        else:
            break
    _wait_for_leaders(admin, topic)


def _wait_for_leaders(admin: AdminClient, topic: str) -> None:
    while any(p.leader < 0 for p in admin.list_topics(topic, timeout=10).topics[topic].partitions.values()):
        time.sleep(0.1)


@contextmanager
def partitions_added(stage: Stage, _: Random) -> Iterator[str]:
    """Give each business topic more partitions, as documented for a system that runs: keys move to other ones."""
    admin = AdminClient({**trust.kafka(stage.stack.bootstrap), "log_level": 0})
    count = len(stage.recorder.tape.partitions(TOPICS[0])) + _MORE_PARTITIONS
    for future in admin.create_partitions([NewPartitions(topic, count) for topic in TOPICS]).values():
        future.result(20)
    for topic in TOPICS:
        _wait_for_leaders(admin, topic)
    stage.recorder.tape.look()
    yield f"each topic has {count} partitions"


@contextmanager
def duplicates(stage: Stage, random: Random) -> Iterator[str]:
    """Write records again, the same bytes and headers, shuffled: commands, replies, starts, old and new."""
    known = list(stage.recorder.tape.records)
    recent = known[-200:]
    some = random.sample(recent, min(len(recent), _MOST_AGAIN // 2))
    some += random.sample(known, min(len(known), _MOST_AGAIN // 2))
    random.shuffle(some)
    write(stage.stack.bootstrap, [(r.place.topic, r.key, r.value, r.headers) for r in some])
    yield f"{len(some)} records written again, shuffled"


@contextmanager
def poison(stage: Stage, random: Random) -> Iterator[str]:
    """Write a few records to each topic that no schema allows."""
    forged = stage.recorder.evidence.forged
    known = [r for r in list(stage.recorder.tape.records) if r.type and r.message_id not in forged]
    written: list[Raw] = []
    for topic in TOPICS:
        good = [record for record in known if record.place.topic == topic]
        models = [random.choice(good) if good else None for _ in range(random.randint(1, 3))]
        written += [(topic, *_poisoned(random, model)) for model in models]
    stage.recorder.evidence.forged |= {headers["message-id"].decode() for _, _, _, headers in written}
    write(stage.stack.bootstrap, written)
    yield f"{len(written)} poisoned records"


def _poisoned(random: Random, good: Record | None) -> tuple[bytes | None, bytes | None, Mapping[str, bytes]]:
    message_id = {"message-id": str(uuid.UUID(int=random.getrandbits(128), version=4)).encode()}
    if good is None or good.value is None:
        return b"1", random.randbytes(20), message_id
    key, value = good.key, good.value
    kind = {"message-type": good.headers.get("message-type", b"")}
    return random.choice(
        [
            (key, None, {**message_id, **kind}),
            (key, b"", {**message_id, **kind}),
            (key, random.randbytes(30), {**message_id, **kind}),
            (key, value, message_id),
            (key, value[:-1], {**message_id, **kind}),
            (key, value + b"\0", {**message_id, **kind}),
            (key, struct.pack(">bI", 0, 2_000_000_000) + value[5:], {**message_id, **kind}),
            (key, value, {**message_id, "message-type": b"somebody.else.Record"}),
            (b"no number", value, {**message_id, **kind}),
            (None, value, {**message_id, **kind}),
        ]
    )


def write(bootstrap: str, records: Sequence[Raw]) -> None:
    """Write records as a stranger to our partitions would."""
    producer = Producer({**trust.kafka(bootstrap), "partitioner": "murmur2_random", "log_level": 0})
    for topic, key, value, headers in records:
        producer.produce(topic, key=key, value=value, headers=list(headers.items()))
    producer.flush(20)
