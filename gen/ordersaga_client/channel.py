"""The options of a channel to any of the four services, for ``grpc`` and ``grpc.aio`` alike."""

from importlib.resources import files
from typing import Final

LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""In bytes; no answer of the services is larger."""

SERVICE_CONFIG: Final = files(__package__).joinpath("service_config.json").read_text()
"""gRPC's service config, in JSON, which clients in other languages take as well: what is tried again, and when.

Calls that may be repeated safely are, on UNAVAILABLE and RESOURCE_EXHAUSTED. All others only on RESOURCE_EXHAUSTED,
which says that nothing was done. Connections are made to every address that the name resolves to, and take turns.
"""

CHANNEL_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    # A server that went away without a word is found out in half a minute; the services bear a ping a second.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A replica that comes, or comes back, is found in seconds.
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.dns_min_time_between_resolutions_ms", 10_000),
)
"""What ``grpc.insecure_channel`` and its like should be given as ``options``."""
