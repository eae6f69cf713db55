"""A registry that is rebuilt with other ids: no good message is parked, and none is read by a wrong schema."""

import struct
import time
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from confluent_kafka.schema_registry import Schema
from ordersaga.messages import RECORDS, DecreaseProductCommand

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import subject_of
from sagakit.errors import Poison, Unavailable
from sagakit.messages import Encoded, Outgoing
from sagakit.records import Record
from tests.support.registry import by_a_stranger, registry_client
from tests.support.renumbered import Renumbered, renumbered
from tests.support.scratch import PREFIX, Ping, ping_on, register

COMMAND = DecreaseProductCommand(order_id=7, product_id=1, quantity=2, price=500)


@pytest.fixture
def registry(stack: Stack) -> Iterator[Renumbered]:
    with renumbered(stack.registry_url) as registry:
        yield registry


def started(registry: Renumbered, records: Any = RECORDS) -> Codec:
    """Return the codec of a service that has just started."""
    codec = Codec(registry.client(), records)
    codec.load()
    return codec


def read(codec: Codec, message: Encoded, lay_at: float | None = None) -> Record:
    return codec.decode(message.topic, message.key, message.value, dict(message.headers), lay_at)


def id_of(message: Encoded) -> int:
    return int(struct.unpack_from(">bI", message.value or b"")[1])


SHIFTS = {"ids that were unknown": 100_000, "ids that stood for others": 1, "the others' former ids": -1}


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_who_runs_on_and_who_has_started_since_understand_each_other(registry: Renumbered, shift: int) -> None:
    running = started(registry)
    registry.shift = shift
    restarted = started(registry)
    assert id_of(restarted.encode(Outgoing(COMMAND))) == id_of(running.encode(Outgoing(COMMAND))) + shift
    for writer, reader in ((running, restarted), (restarted, running)):
        for _ in range(3):
            assert read(reader, writer.encode(Outgoing(COMMAND))) == COMMAND


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_who_runs_on_understands_strangers_of_before_and_since(registry: Renumbered, shift: int) -> None:
    running = started(registry)
    before = by_a_stranger(running.encode(Outgoing(COMMAND)))
    registry.shift = shift
    since = by_a_stranger(started(registry).encode(Outgoing(COMMAND)))
    assert read(running, since) == COMMAND
    assert read(running, before) == COMMAND
    running.refresh()
    assert read(running, since) == COMMAND
    assert read(running, before) == COMMAND


def test_who_runs_on_writes_the_new_ids_once_it_has_looked(registry: Renumbered) -> None:
    running = started(registry)
    registry.shift = 5
    running.refresh()
    written = running.encode(Outgoing(COMMAND))
    assert id_of(written) == id_of(started(registry).encode(Outgoing(COMMAND)))
    assert read(running, written) == COMMAND


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_registry_that_fails_or_is_still_empty_changes_no_id(registry: Renumbered, status: int) -> None:
    running = started(registry)
    before = id_of(running.encode(Outgoing(COMMAND)))
    registry.fails_with = status
    with pytest.raises(Unavailable):
        running.refresh()
    written = running.encode(Outgoing(COMMAND))
    assert id_of(written) == before
    assert read(running, written) == COMMAND


class Newer(Ping):
    """A ping as a later version writes it, the colour first."""

    SCHEMA: ClassVar[str] = Ping.SCHEMA.replace("[{", '[{"name":"colour","type":"long","default":9},{')

    def to_avro(self) -> dict[str, object]:
        return {"colour": 3, "number": self.number}


class Newest(Ping):
    """A ping as the version after that writes it, the shade last: in the same bytes, the number stands elsewhere."""

    SCHEMA: ClassVar[str] = Ping.SCHEMA.replace("}]", '},{"name":"shade","type":"long","default":9}]')

    def to_avro(self) -> dict[str, object]:
        return {"shade": 3, "number": self.number}


def test_a_value_is_never_read_with_another_version_of_its_schema(registry: Renumbered) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    oldest, newer, newest = (ping_on(topic, kind) for kind in (Ping, Newer, Newest))
    client = registry.client()
    ids = [register(client, kind) for kind in (oldest, newer, newest)]
    written = started(registry, [newer]).encode(Outgoing(newer(7)))
    registry.shift = ids[1] - ids[2]
    restarted = started(registry, [oldest])
    assert id_of(written) == ids[1], "what is the id of the newest version now"
    assert read(restarted, written) == oldest(7)


def test_what_nobody_registered_is_parked(registry: Renumbered) -> None:
    codec = started(registry)
    written = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    for fingerprint in (b"0123456789abcdef", b"f" * 16):
        headers = (*written.headers, ("schema-fingerprint", fingerprint))
        with pytest.raises(Poison, match="fingerprint") as caught:
            read(codec, written._replace(headers=headers))
        assert caught.value.reason == "TYPE_MISMATCH"


def test_a_fingerprint_of_another_kind_says_nothing(registry: Renumbered) -> None:
    codec = started(registry)
    written = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    assert read(codec, written._replace(headers=(*written.headers, ("schema-fingerprint", b"sha256:00")))) == COMMAND


def test_a_schema_of_another_subject_is_not_read_with_though_it_is_the_same_record(registry: Renumbered) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    ping = ping_on(topic)
    client = registry.client()
    register(client, ping)
    codec = started(registry, [ping])
    elsewhere = client.register_schema(f"{topic}-elsewhere", Schema(Newer.SCHEMA, "AVRO"))
    message = by_a_stranger(codec.encode(Outgoing(ping(7))))
    forged = message._replace(value=struct.pack(">bI", 0, elsewhere) + b"\6\x0e")
    with pytest.raises(Poison, match=f"schema {elsewhere} is not registered under the subject {topic}-") as caught:
        read(codec, forged)
    assert caught.value.reason == "UNKNOWN_SCHEMA"
    register(client, ping_on(topic, Newer))
    assert read(codec, forged) == ping(7), "one schema has one id under all its subjects"


def test_a_version_that_was_deleted_is_withdrawn(stack: Stack, registry: Renumbered) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    ping, newer = ping_on(topic), ping_on(topic, Newer)
    client = registry.client()
    register(client, ping)
    newer_id = register(client, newer)
    codec = started(registry, [ping])
    written = started(registry, [newer]).encode(Outgoing(newer(7)))
    by_id = by_a_stranger(written)
    assert id_of(written) == newer_id
    for message in (written, by_id):
        assert read(codec, message) == ping(7)
    with registry_client(stack.registry_url) as deleting:
        deleting.delete_version(subject_of(topic, ping.FULL_NAME), 2)
    codec.refresh()
    for message in (written, by_id):
        with pytest.raises(Poison, match="is not registered under") as caught:
            read(codec, message)
        assert caught.value.reason == "UNKNOWN_SCHEMA"


@pytest.mark.parametrize("status", [404, 500, 503])
def test_while_the_registry_is_away_known_versions_are_read_and_others_wait(registry: Renumbered, status: int) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    ping, newer = ping_on(topic), ping_on(topic, Newer)
    client = registry.client()
    for kind in (ping, newer):
        register(client, kind)
    codec = started(registry, [ping])
    known = started(registry, [newer]).encode(Outgoing(newer(7)))
    read(codec, known)
    codec.refresh()
    registry.fails_with = status
    for message in (known, by_a_stranger(known)):
        assert read(codec, message) == ping(7)
    with pytest.raises(Unavailable):
        read(codec, by_a_stranger(known)._replace(value=struct.pack(">bI", 0, 1_000_000) + b"\6\x0e"))


def test_a_batch_of_what_is_condemned_is_one_look(registry: Renumbered) -> None:
    codec = started(registry)
    forged = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    lay_at = time.monotonic()
    registry.asked.clear()
    for invented in range(1_000_000, 1_001_000):
        value = struct.pack(">bI", 0, invented) + (forged.value or b"")[5:]
        with pytest.raises(Poison, match="is not registered under"):
            read(codec, forged._replace(value=value), lay_at)
    assert len(registry.asked) == 2, "the versions that there are, and the one version"


def test_many_batches_of_what_is_condemned_are_few_questions_a_second(registry: Renumbered) -> None:
    codec = started(registry)
    forged = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    other = forged._replace(value=struct.pack(">bI", 0, 1_000_000) + (forged.value or b"")[5:])
    registry.asked.clear()
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(Poison):
            read(codec, other)
    seconds = time.monotonic() - began
    assert len(registry.asked) == 200
    assert seconds > (200 - 25) / 50, "the first 25 at once, then 50 a second"


def test_what_was_registered_a_moment_ago_is_read_though_its_id_was_condemned_before(registry: Renumbered) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    ping, newer = ping_on(topic), ping_on(topic, Newer)
    client = registry.client()
    register(client, ping)
    codec = started(registry, [ping])
    next_id = client.register_schema(f"{topic}-elsewhere", Schema(Newer.SCHEMA, "AVRO"))
    early = by_a_stranger(codec.encode(Outgoing(ping(7))))._replace(value=struct.pack(">bI", 0, next_id) + b"\6\x0e")
    with pytest.raises(Poison):
        read(codec, early)
    register(client, newer)
    assert read(codec, started(registry, [newer]).encode(Outgoing(newer(7)))) == ping(7)
    assert read(codec, early) == ping(7)


def test_a_schema_that_becomes_known_is_read_after_it_was_forgotten(registry: Renumbered) -> None:
    topic = f"{PREFIX}{uuid.uuid4()}"
    ping = ping_on(topic)
    client = registry.client()
    register(client, ping)
    codec = started(registry, [ping])
    subject = subject_of(topic, ping.FULL_NAME)
    with_colour = client.register_schema(subject, Schema(Newer.SCHEMA, "AVRO"))
    message = by_a_stranger(codec.encode(Outgoing(ping(7))))
    head = struct.pack(">bI", 0, with_colour + 1_000)
    unknown = message._replace(value=head + b"\6\x0e")
    with pytest.raises(Poison, match="is not registered"):
        read(codec, unknown)
    registry.shift = 1_000
    codec.forget()
    assert read(codec, unknown) == ping(7)
