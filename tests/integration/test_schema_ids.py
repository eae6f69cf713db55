"""A registry that is rebuilt with other ids: no good message is parked, and none is read by a wrong schema."""

import struct
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from confluent_kafka.schema_registry import Schema
from ordersaga.messages import RECORDS, DecreaseProductCommand, IncreaseProductCommand

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import subject_of
from sagakit.errors import Poison, Unavailable
from sagakit.messages import Encoded, Outgoing
from sagakit.records import Record
from tests.support.registry import by_a_stranger
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


def read(codec: Codec, message: Encoded) -> Record:
    return codec.decode(message.topic, message.key, message.value, dict(message.headers))


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


def test_a_flood_of_what_is_condemned_is_not_a_flood_of_questions(registry: Renumbered) -> None:
    codec = started(registry)
    forged = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    headers = [one for one in forged.headers if one[0] != "message-type"]
    other = ("message-type", IncreaseProductCommand.FULL_NAME.encode())
    registry.asked.clear()
    for _ in range(100):
        with pytest.raises(Poison):
            read(codec, forged._replace(headers=(*headers, other)))
    assert len(registry.asked) < 10


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
    with pytest.raises(Poison, match="no schema"):
        read(codec, unknown)
    registry.shift = 1_000
    codec.forget()
    assert read(codec, unknown) == ping(7)
