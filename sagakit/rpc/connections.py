"""Connections of the gRPC server: waiting calls, keepalive, pings, and the age at which a connection ends.

- **Waiting calls.** When a thousand calls wait to begin, gRPC's core answers some at random with CANCELLED, and later
  every call that has waited for 30 seconds. These limits are switched off, because `sagakit.rpc.guard.Guard` refuses
  calls above its own limit with a status that says so.
- **Connections.** A port has so many at once; one more is closed as soon as it is accepted. A port for probes counts
  its own, so that whoever takes all those of the API does not keep the probes out.
- **Keepalive.** The server pings a connection that was silent for 20 seconds, and drops it where no answer comes in 10.
  So a client that vanished or was stopped is gone within half a minute, also on a quiet stream.
- **Handshakes.** Whoever connects, and does not begin to speak TLS, is dropped after 20 seconds instead of two minutes.
- **Pings.** A client may ping every second, with calls under way or without.
- **Age.** At its maximum age, give or take a tenth, a connection gets a graceful GOAWAY, and its client connects again:
  so new replicas get calls. Calls under way, streams too, stay on the old connection; those that have not ended when
  the grace is over are ended as UNAVAILABLE.
- **Streams.** A connection carries so many calls at once; a client's library holds the others back.

The options are explained in https://github.com/grpc/grpc/blob/master/include/grpc/impl/channel_arg_names.h.
"""

import resource

from sagakit.rpc.settings import RpcSettings

LARGEST_REQUEST = 1_048_576
"""In bytes."""
_MOST_CONNECTIONS = 10_000
"""Of one port: one for each call that may be under way. One that does nothing takes 20 kB, with TLS 50 kB."""
_OTHER_FILES = 256
"""Files that a process may have open beside them, such as what leads to its database and to Kafka."""
_UNBOUNDED = 2**31 - 1
_LONGEST_WAIT_SECONDS = 86_400
_SILENCE_MS = 20_000
_PING_ANSWER_MS = 10_000
_HANDSHAKE_MS = 20_000
_PING_INTERVAL_MS = 500
"""Half of what is promised, because pings that were sent a second apart may arrive closer together."""


def most_connections() -> int:
    """Return how many connections one port takes at once: fewer where the process may open few files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return min(_MOST_CONNECTIONS, max(files - _OTHER_FILES, files // 2))


def server_options(settings: RpcSettings) -> list[tuple[str, int]]:
    """Return the channel arguments of a server with these ``settings``."""
    return [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not a second listener
        ("grpc.max_receive_message_length", LARGEST_REQUEST),
        ("grpc.server.max_pending_requests", _UNBOUNDED),
        ("grpc.server.max_pending_requests_hard_limit", _UNBOUNDED),
        ("grpc.server_max_unrequested_time_in_server", _LONGEST_WAIT_SECONDS),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.max_allowed_incoming_connections", most_connections()),
        ("grpc.keepalive_time_ms", _SILENCE_MS),
        ("grpc.keepalive_timeout_ms", _PING_ANSWER_MS),
        ("grpc.http2.ping_timeout_ms", _PING_ANSWER_MS),  # this one counts here; its default is a minute
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),  # of our own pings: no limit
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
        ("grpc.max_concurrent_streams", settings.grpc_max_connection_streams),
        ("grpc.max_connection_age_ms", round(settings.grpc_max_connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", round(settings.grpc_max_connection_age_grace_seconds * 1000)),
    ]
