"""The schema registry, and messages encoded by its ids."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.schema_registry import SchemaRegistryClient

from sagakit.avro.codec import Codec
from sagakit.messages import Encoded, Outgoing
from sagakit.records import Record
from tests.support import trust


@contextmanager
def registry_client(url: str) -> Iterator[SchemaRegistryClient]:
    """Open a client that caches nothing across tests."""
    with SchemaRegistryClient(trust.registry(url)) as client:
        yield client


def by_a_stranger(message: Encoded) -> Encoded:
    """Return ``message`` as a program sends it that gives no fingerprint of its schema."""
    return message._replace(headers=tuple(one for one in message.headers if one[0] != "schema-fingerprint"))


def encode(url: str, record: Record) -> Encoded:
    """Return ``record`` as the services would send it."""
    with registry_client(url) as client:
        codec = Codec(client, [type(record)])
        codec.load()
        return codec.encode(Outgoing(record))
