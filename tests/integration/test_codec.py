"""The codec on a real registry: registered records go there and back, and everything else is refused with a reason."""

import struct
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from ordersaga.messages import RECORDS, DecreaseProductCommand, IncreaseProductCommand, OrderCreated

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.errors import Poison, Unavailable
from sagakit.messages import Encoded, Outgoing
from tests.support.registry import by_a_stranger, registry_client
from tests.support.scratch import PREFIX, Ping, ping_on, register

COMMAND = DecreaseProductCommand(order_id=7, product_id=1, quantity=2, price=500)
CREATED = OrderCreated(
    order_id=2**62,
    user_id=1,
    product_id=2,
    quantity=3,
    price=0,
    address="Straße 1, \N{SNOWMAN}",
    create_time=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
)


@pytest.fixture
def registry(stack: Stack) -> Iterator[SchemaRegistryClient]:
    with registry_client(stack.registry_url) as client:
        yield client


@pytest.fixture
def codec(registry: SchemaRegistryClient) -> Codec:
    codec = Codec(registry, RECORDS)
    codec.load()
    return codec


def condemned(codec: Codec, message: Encoded) -> str:
    """Return the reason why ``message`` is poison."""
    with pytest.raises(Poison) as caught:
        codec.decode(message.topic, message.key, message.value, dict(message.headers))
    return caught.value.reason


def retyped(message: Encoded, name: str) -> Encoded:
    kept = [(header, value) for header, value in message.headers if header != "message-type"]
    return message._replace(headers=(*kept, ("message-type", name.encode())))


@pytest.mark.parametrize("record", [COMMAND, CREATED], ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_went(codec: Codec, record: DecreaseProductCommand | OrderCreated) -> None:
    encoded = codec.encode(Outgoing(record))
    assert encoded.key == str(record.order_id).encode()
    assert codec.decode(encoded.topic, encoded.key, encoded.value, dict(encoded.headers)) == record


def test_a_schema_id_that_a_ready_registry_does_not_know_is_poison(codec: Codec) -> None:
    encoded = by_a_stranger(codec.encode(Outgoing(COMMAND)))
    unknown = struct.pack(">bI", 0, 2_000_000_000) + (encoded.value or b"")[5:]
    assert condemned(codec, encoded._replace(value=unknown)) == "UNKNOWN_SCHEMA"


def test_a_schema_id_that_an_empty_registry_does_not_know_means_wait(registry: SchemaRegistryClient) -> None:
    # A registry that has not loaded its schemas yet knows neither this id nor what the codec itself writes.
    ping = ping_on(f"{PREFIX}{uuid.uuid4()}")
    codec = Codec(registry, [ping])
    value = struct.pack(">bI", 0, 2_000_000_000) + b"\2"
    with pytest.raises(Unavailable, match="does not give the versions"):
        codec.decode(ping.TOPIC, b"1", value, {"message-type": b"scratch.Ping"})


def test_a_registry_that_is_away_means_wait(codec: Codec) -> None:
    with registry_client("http://127.0.0.1:9") as away:
        away._rest_client.max_retries = 0  # noqa: SLF001 - else the client tries for seconds
        lost = Codec(away, [DecreaseProductCommand])
        with pytest.raises(Unavailable, match="cannot be reached"):
            lost.load()
        with pytest.raises(Unavailable, match="not looked up yet"):
            lost.encode(Outgoing(COMMAND))
        encoded = codec.encode(Outgoing(COMMAND))
        assert lost.decode(encoded.topic, encoded.key, encoded.value, dict(encoded.headers)) == COMMAND
        encoded = by_a_stranger(encoded)
        with pytest.raises(Unavailable, match="cannot be reached"):
            lost.decode(encoded.topic, encoded.key, encoded.value, dict(encoded.headers))


def test_a_schema_that_is_not_registered_yet_means_wait(registry: SchemaRegistryClient) -> None:
    ping = ping_on(f"{PREFIX}{uuid.uuid4()}")
    codec = Codec(registry, [ping])
    with pytest.raises(Unavailable):
        codec.load()
    register(registry, ping)
    codec.load()
    assert codec.encode(Outgoing(ping(1))).topic == ping.TOPIC


def test_a_record_on_another_records_topic_is_poison(codec: Codec) -> None:
    encoded = codec.encode(Outgoing(COMMAND))
    assert condemned(codec, encoded._replace(topic="product-decreased")) == "TYPE_NOT_ALLOWED"


def test_a_record_under_another_records_name_is_poison(codec: Codec) -> None:
    renamed = retyped(codec.encode(Outgoing(COMMAND)), IncreaseProductCommand.FULL_NAME)
    assert condemned(codec, renamed) == "TYPE_MISMATCH"


@pytest.mark.parametrize("key", [b"8", b"07", b"", None], ids=["other", "padded", "empty", "none"])
def test_a_key_that_is_not_the_records_own_is_poison(codec: Codec, key: bytes | None) -> None:
    encoded = codec.encode(Outgoing(COMMAND))
    with pytest.raises(Poison) as caught:
        codec.decode(encoded.topic, key, encoded.value, dict(encoded.headers))
    assert caught.value.reason == "BAD_KEY"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda value: value + b"\0", "UNDECODABLE"),
        (lambda value: value[:-2], "UNDECODABLE"),
        (lambda value: value[:5], "NOT_FRAMED"),
        (lambda value: b"\1" + value[1:], "NOT_FRAMED"),
        (lambda value: value[:5] + b"\xff" * 30, "UNDECODABLE"),
    ],
    ids=["left-over", "cut-off", "no-body", "magic-byte", "rubbish"],
)
def test_damaged_bytes_are_poison(codec: Codec, damage: Callable[[bytes], bytes], reason: str) -> None:
    encoded = codec.encode(Outgoing(COMMAND))
    assert condemned(codec, encoded._replace(value=damage(encoded.value or b""))) == reason


def test_a_writer_with_an_added_field_is_read_without_it(registry: SchemaRegistryClient) -> None:
    ping = ping_on(f"{PREFIX}{uuid.uuid4()}")
    register(registry, ping)
    newer = ping.SCHEMA.replace("]}", ',{"name":"colour","type":"string","default":"red"}]}')
    newer_id = registry.register_schema(f"{ping.TOPIC}-scratch.Ping", Schema(newer, "AVRO"))
    codec = Codec(registry, [ping])
    codec.load()
    value = struct.pack(">bI", 0, newer_id) + b"\x0e" + b"\x08blue"
    assert codec.decode(ping.TOPIC, b"7", value, {"message-type": b"scratch.Ping"}) == ping(7)
    assert isinstance(ping(7), Ping)
