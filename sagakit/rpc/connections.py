"""How the gRPC server treats connections: what pings it bears, when it drops one, how long one lives.

- **Crowds.** From a thousand calls on that nobody has taken up yet, gRPC's core answers some by chance with CANCELLED,
  and later all that wait for 30 seconds. These bounds are lifted, because `sagakit.rpc.guard.Guard` refuses what is
  too much with a status that says so.
- **Silence.** A connection that has brought nothing for 20 seconds is pinged, and dropped where no answer comes in 10:
  so a client that went away without a word, or was stopped, is gone within half a minute, on quiet streams too.
- **Pings.** A client may ping every second, with calls under way or without.
- **Age.** A connection gets a graceful GOAWAY at its age, give or take a tenth, and its client connects anew: so new
  replicas get calls. Calls under way, streams too, go on where they are for as long as they last.

The options are explained in https://github.com/grpc/grpc/blob/master/include/grpc/impl/channel_arg_names.h.
"""

LARGEST_REQUEST = 1_048_576
"""In bytes."""
_UNBOUNDED = 2**31 - 1
_LONGEST_WAIT_SECONDS = 86_400
_SILENCE_MS = 20_000
_PING_ANSWER_MS = 10_000
_PING_INTERVAL_MS = 500
"""Half of what is promised, since pings that were sent a second apart arrive closer together."""


def server_options(max_connection_age_seconds: float) -> list[tuple[str, int]]:
    """Return the channel arguments of a server whose connections get ``max_connection_age_seconds`` old."""
    return [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not a second listener
        ("grpc.max_receive_message_length", LARGEST_REQUEST),
        ("grpc.server.max_pending_requests", _UNBOUNDED),
        ("grpc.server.max_pending_requests_hard_limit", _UNBOUNDED),
        ("grpc.server_max_unrequested_time_in_server", _LONGEST_WAIT_SECONDS),
        ("grpc.keepalive_time_ms", _SILENCE_MS),
        ("grpc.keepalive_timeout_ms", _PING_ANSWER_MS),
        ("grpc.http2.ping_timeout_ms", _PING_ANSWER_MS),  # a minute by default, and it counts here
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),  # of ours: as many as it takes
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
        ("grpc.max_connection_age_ms", round(max_connection_age_seconds * 1000)),
    ]
