"""The family of every error of the schema registry.

Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors
"""

from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError
from httpx2 import TransportError

from sagakit.families import Family, family_of

_REGISTRY: dict[int, Family] = {
    404: Family.STALE,  # and 40401 to 40403: no such subject, version or schema, as far as this registry knows
    401: Family.PASSING,  # the credentials may be changing just now
    403: Family.PASSING,
    408: Family.PASSING,
    425: Family.PASSING,
    429: Family.PASSING,
    409: Family.OURS,  # a schema that is not compatible
    422: Family.OURS,  # 42201 to 42203: an invalid schema, version or compatibility
}
"""By HTTP status, with which the registry's own codes begin. From 500 on every status passes; any other is ours."""
_SERVER_ERROR = 500


@family_of.register(SchemaRegistryError)
def _(error: SchemaRegistryError) -> Family:
    status = int(error.http_status_code)
    return Family.PASSING if status >= _SERVER_ERROR else _REGISTRY.get(status, Family.OURS)


@family_of.register(TransportError)
@family_of.register(OAuthTokenError)
def _(_: Exception) -> Family:
    return Family.PASSING
