"""How tests reach the servers of a stack that may be closed: by the address alone, as who may do anything.

The fixtures tell of the stacks that are closed. `tests.support.logins` is for tests of who may do what.
"""

import ssl
from collections.abc import Iterator, Sequence

import grpc
from ordersaga_client import Token, metadata_of, token_in_file

from devstack.security import DEPLOYER
from devstack.services import Service
from devstack.stack import Stack
from sagakit.avro.settings import RegistrySettings
from tests.support.logins import Client, client_of

_closed: list[Stack] = []


def remember(stack: Stack) -> None:
    """Know the servers of ``stack`` from now on, where it is closed."""
    if stack.security.on:
        _closed.append(stack)


def kafka(bootstrap: str) -> Client:
    """Return the properties of a client of the brokers at ``bootstrap``."""
    closed = next((stack for stack in _closed if stack.bootstrap == bootstrap), None)
    return client_of(closed, DEPLOYER) if closed else {"bootstrap.servers": bootstrap}


def registry(url: str) -> dict[str, str]:
    """Return the properties of a client of the registry at ``url``."""
    for stack in _closed:
        if stack.registry_url == url:
            settings = {name.lower(): value for name, value in stack.security.settings(DEPLOYER).items()}
            return RegistrySettings.model_validate({**settings, "schema_registry_url": url}).registry_client()
    return {"url": url}


def certificate_of(address: str) -> bytes | None:
    """Return the authority to trust at ``address``, a service's API or its metrics; None where it is in the clear."""
    for stack in _closed:
        if address in set(_addresses(stack)):
            return stack.security.ca.read_bytes()
    return None


def channel(address: str, options: Sequence[tuple[str, object]] | None = None) -> grpc.Channel:
    """Open a channel to a service."""
    authority = certificate_of(address)
    if authority is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options=options)


def aio_channel(address: str, options: list[tuple[str, object]]) -> grpc.aio.Channel:
    """Open a channel to a service, in an event loop."""
    authority = certificate_of(address)
    if authority is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority), options=options)


def token(address: str) -> Token | None:
    """Return the token of an operator for the service at ``address``; None where it asks for none."""
    for stack in _closed:
        if address in set(_addresses(stack)):
            return token_in_file(str(stack.security.operator_token))
    return None


def metadata(address: str) -> Sequence[tuple[str, str]]:
    """Return what a call to the service at ``address`` has to carry, in an event loop, where no channel adds it."""
    found = token(address)
    return metadata_of(found()) if found else ()


def in_history(stack: Stack, actor: str, reason: str, *, named: bool = True) -> str:
    """Return how a history says that ``actor`` has acted by a request of these tests, which may be ``named`` so or not.

    In a closed stack who acts is who the token says, and what the request calls itself is noted.
    """
    if not stack.security.on:
        return f"{actor}: {reason}"
    return f"operator (https://devstack.invalid): {reason}{f' (as {actor})' if named else ''}"


def page(address: str) -> tuple[str, ssl.SSLContext | None]:
    """Return the URL of the metrics at ``address``, and whom to trust there."""
    authority = certificate_of(address)
    if authority is None:
        return f"http://{address}/metrics", None
    return f"https://{address}/metrics", ssl.create_default_context(cadata=authority.decode())


def _addresses(stack: Stack) -> Iterator[str]:
    for part in stack.parts:
        if isinstance(part, Service):
            yield from (part.grpc, part.metrics)
