"""The registry is closed: the services read it, and nobody writes it but the deployer."""

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from devstack.security import DEPLOYER
from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.avro.settings import RegistrySettings
from sagakit.service.access import CONSOLE, OPERATORS
from sagakit.service.deploy import register_schemas
from tools.paths import SCHEMAS

FORGED = Schema(json.dumps({"type": "record", "name": "Forged", "fields": []}), "AVRO")
SUBJECT = "order-created-ordersaga.messages.OrderCreated"
_REFUSED = 403


def client_of(stack: Stack, login: str, **other: str) -> SchemaRegistryClient:
    """Return a client with the settings of ``login``, but for ``other`` properties."""
    settings = {name.lower(): value for name, value in stack.security.settings(login).items()}
    read = RegistrySettings.model_validate({**settings, "schema_registry_url": stack.registry_url})
    return SchemaRegistryClient({**read.registry_client(), **other})


@pytest.fixture(params=[*NAMES, OPERATORS, CONSOLE])
def reader(closed_stack: Stack, request: pytest.FixtureRequest) -> Iterator[SchemaRegistryClient]:
    with client_of(closed_stack, request.param) as client:
        yield client


def test_a_reader_registers_no_schema(reader: SchemaRegistryClient) -> None:
    for subject in (SUBJECT, "forged"):
        with pytest.raises(SchemaRegistryError) as refused:
            reader.register_schema(subject, FORGED)
        assert refused.value.http_status_code == _REFUSED


def test_a_reader_removes_no_schema_and_weakens_no_rule(reader: SchemaRegistryClient) -> None:
    for attack in (
        lambda: reader.delete_subject(SUBJECT),
        lambda: reader.delete_version(SUBJECT, 1),
        lambda: reader.set_compatibility(SUBJECT, "NONE"),
        lambda: reader.set_compatibility(level="NONE"),
    ):
        with pytest.raises(SchemaRegistryError) as refused:
            attack()
        assert refused.value.http_status_code == _REFUSED


def test_a_reader_reads(reader: SchemaRegistryClient) -> None:
    assert SUBJECT in reader.get_subjects()
    assert "OrderCreated" in str(reader.get_latest_version(SUBJECT).schema.schema_str)


def test_the_deployer_registers(closed_stack: Stack) -> None:
    with client_of(closed_stack, DEPLOYER) as deployer:
        register_schemas(deployer, SCHEMAS)


@pytest.mark.parametrize("login", [None, "product_svc:geheim", "nobody:geheim", "deployer:", ":"])
def test_without_a_login_nothing_is_read(closed_stack: Stack, login: str | None) -> None:
    trust = ssl.create_default_context(cafile=str(closed_stack.security.ca))
    asked = urllib.request.Request(f"{closed_stack.registry_url}/subjects")  # noqa: S310 - an HTTP URL
    if login is not None:
        asked.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=10, context=trust)  # noqa: S310 - an HTTP URL
    assert refused.value.code == 401
    refused.value.close()


def test_it_does_not_speak_without_tls(closed_stack: Stack) -> None:
    plain = closed_stack.registry_url.replace("https:", "http:")
    with pytest.raises(OSError, match=r"(?i)reset|closed|remote end|bad status|aborted"):
        urllib.request.urlopen(f"{plain}/subjects", timeout=10)  # noqa: S310 - an HTTP URL


def test_a_client_that_trusts_another_authority_does_not_speak_to_it(closed_stack: Stack) -> None:
    foreign = {"ssl.ca.location": ssl.get_default_verify_paths().openssl_cafile}
    with client_of(closed_stack, "product_svc", **foreign) as client, pytest.raises(TransportError):
        client.get_subjects()
