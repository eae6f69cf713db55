"""Questions to the schema registry, and the check that a registry answers at all.

A proxy's error page, a log-in page, or another server at the address may answer with the status 200. The client then
fails somewhere in its own code. That says nothing about a schema, and passes by itself.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError
from httpx2 import TransportError

from sagakit.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


def ask(kind: type[T], question: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Return the answer to ``question``, a method of the registry's client. The answer must be a ``kind``.

    Raises:
        SchemaRegistryError: the registry refuses.
        TransportError: the registry cannot be reached.
        Unavailable: another server answers in its place.
    """
    try:
        answer = question(*arguments, **named)
    except (SchemaRegistryError, TransportError, OAuthTokenError):
        raise
    except Exception as error:  # on such answers the client raises all kinds of errors
        raise _no_registry(f"{type(error).__name__}: {str(error)[:100]!a}") from error
    if not isinstance(answer, kind):
        raise _no_registry(f"the answer is no {kind.__name__}")
    return answer


def must_have(kind: type[T], part: object, name: str) -> T:
    """Return ``part``, called ``name``, of an answer; raise `Unavailable` where it is no ``kind``."""
    if not isinstance(part, kind):
        raise _no_registry(f"the answer has no {name}")
    return part


def _no_registry(why: str) -> Unavailable:
    return Unavailable(f"another server answers at the schema registry's address: {why}")
