"""Another server answers at the registry's address, such as a proxy: that is an outage, and no message's fault."""

import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import subject_of
from sagakit.errors import Unavailable
from sagakit.messages import Encoded, Outgoing
from sagakit.service.deploy import register_schemas
from tests.support.registry import by_a_stranger, registry_client
from tests.support.renumbered import Renumbered, renumbered
from tests.support.scratch import PREFIX, Ping, ping_on, register

RUBBISH = {
    "a page": b"<html>Please log in</html>",
    "nothing": b"",
    "null": b"null",
    "an empty object": b"{}",
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"ok"',
    "no UTF-8": b"\xff\xfe\xfd",
    "an answer that is cut off": b'{"schema": "{\\"type\\": ',
    "another server's answer": b'{"id": "seven", "schema": ["a"], "status": "UP"}',
    "depths": b"[" * 100_000,
}
rubbish = pytest.mark.parametrize("says", RUBBISH.values(), ids=RUBBISH)


@pytest.fixture
def registry(stack: Stack) -> Iterator[Renumbered]:
    with renumbered(stack.registry_url) as registry:
        yield registry


@pytest.fixture
def ping(stack: Stack) -> type[Ping]:
    """A record type that is registered, on a topic of its own."""
    found = ping_on(f"{PREFIX}{uuid.uuid4()}")
    with registry_client(stack.registry_url) as client:
        register(client, found)
    return found


@pytest.fixture
def running(registry: Renumbered, ping: type[Ping]) -> Codec:
    codec = Codec(registry.client(), [ping])
    codec.load()
    return codec


def of_a_newer_version(stack: Stack, codec: Codec, ping: type[Ping], *, fingerprint: bool) -> Encoded:
    """Return a good message that is written with a schema that ``codec`` has to ask for."""
    schema = ping.SCHEMA.replace("}]", '},{"name":"shade","type":"long","default":9}]')
    with registry_client(stack.registry_url) as client:
        schema_id = client.register_schema(subject_of(ping.TOPIC, ping.FULL_NAME), Schema(schema, "AVRO"))
    message = codec.encode(Outgoing(ping(7)))
    written = message._replace(value=struct.pack(">bI", 0, schema_id) + (message.value or b"")[5:] + b"\2")
    if not fingerprint:
        return by_a_stranger(written)
    others = tuple(
        (name, b"0123456789abcdef" if name == "schema-fingerprint" else one) for name, one in message.headers
    )
    return written._replace(headers=others)


def read(codec: Codec, message: Encoded) -> object:
    return codec.decode(message.topic, message.key, message.value, dict(message.headers))


@rubbish
def test_a_message_whose_schema_has_to_be_asked_for_waits(
    stack: Stack, registry: Renumbered, running: Codec, ping: type[Ping], says: bytes
) -> None:
    message = of_a_newer_version(stack, running, ping, fingerprint=False)
    registry.says = says
    for _ in range(2):
        with pytest.raises(Unavailable, match="schema registry"):
            read(running, message)
    registry.says = None
    assert read(running, message) == ping(7)


@rubbish
def test_a_message_whose_fingerprint_is_unknown_is_not_condemned(
    stack: Stack, registry: Renumbered, running: Codec, ping: type[Ping], says: bytes
) -> None:
    message = of_a_newer_version(stack, running, ping, fingerprint=True)
    registry.says = says
    with pytest.raises(Unavailable, match="schema registry"):
        read(running, message)


@rubbish
def test_who_starts_waits_and_who_runs_keeps_its_ids(
    registry: Renumbered, running: Codec, ping: type[Ping], says: bytes
) -> None:
    written = running.encode(Outgoing(ping(7))).value
    registry.says = says
    starting = Codec(registry.client(), [ping])
    with pytest.raises(Unavailable, match="schema registry"):
        starting.load()
    with pytest.raises(Unavailable, match="schema registry"):
        running.refresh()
    assert running.encode(Outgoing(ping(7))).value == written
    registry.says = None
    starting.load()
    assert starting.encode(Outgoing(ping(7))).value == written


@rubbish
def test_the_deployment_waits(registry: Renumbered, says: bytes) -> None:
    registry.says = says
    with pytest.raises(Unavailable, match="schema registry"):
        register_schemas(registry.client(), Path("schemas"))
