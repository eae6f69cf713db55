"""Another server answers at the registry's address, such as a proxy: that is an outage, and no message's fault."""

import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema
from ordersaga.messages import CompleteOrderCommand

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.errors import Unavailable
from sagakit.messages import Encoded, Outgoing
from sagakit.service.deploy import register_schemas
from tests.support.registry import by_a_stranger
from tests.support.renumbered import Renumbered, renumbered

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
COMMAND = CompleteOrderCommand(order_id=7)
rubbish = pytest.mark.parametrize("says", RUBBISH.values(), ids=RUBBISH)


@pytest.fixture
def registry(stack: Stack) -> Iterator[Renumbered]:
    with renumbered(stack.registry_url) as registry:
        yield registry


@pytest.fixture
def running(registry: Renumbered) -> Codec:
    codec = Codec(registry.client(), [CompleteOrderCommand])
    codec.load()
    return codec


def of_a_newer_version(stack: Stack, codec: Codec, *, fingerprint: bool) -> Encoded:
    """Return a good message that is written with a schema that ``codec`` has to ask for."""
    with renumbered(stack.registry_url) as real:
        schema = CompleteOrderCommand.SCHEMA.replace('"doc":"', f'"doc":"{uuid.uuid4()} ', 1)
        schema_id = real.client().register_schema(f"test-{uuid.uuid4()}", Schema(schema, "AVRO"))
    message = codec.encode(Outgoing(COMMAND))
    written = message._replace(value=struct.pack(">bI", 0, schema_id) + (message.value or b"")[5:])
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
    stack: Stack, registry: Renumbered, running: Codec, says: bytes
) -> None:
    message = of_a_newer_version(stack, running, fingerprint=False)
    registry.says = says
    for _ in range(2):
        with pytest.raises(Unavailable, match="schema registry"):
            read(running, message)
    registry.says = None
    assert read(running, message) == COMMAND


@rubbish
def test_a_message_whose_fingerprint_is_unknown_is_not_condemned(
    stack: Stack, registry: Renumbered, running: Codec, says: bytes
) -> None:
    message = of_a_newer_version(stack, running, fingerprint=True)
    registry.says = says
    with pytest.raises(Unavailable, match="schema registry"):
        read(running, message)


@rubbish
def test_who_starts_waits_and_who_runs_keeps_its_ids(registry: Renumbered, running: Codec, says: bytes) -> None:
    written = running.encode(Outgoing(COMMAND)).value
    registry.says = says
    starting = Codec(registry.client(), [CompleteOrderCommand])
    with pytest.raises(Unavailable, match="schema registry"):
        starting.load()
    with pytest.raises(Unavailable, match="schema registry"):
        running.refresh()
    assert running.encode(Outgoing(COMMAND)).value == written
    registry.says = None
    starting.load()
    assert starting.encode(Outgoing(COMMAND)).value == written


@rubbish
def test_the_deployment_waits(registry: Renumbered, says: bytes) -> None:
    registry.says = says
    with pytest.raises(Unavailable, match="schema registry"):
        register_schemas(registry.client(), Path("schemas"))
