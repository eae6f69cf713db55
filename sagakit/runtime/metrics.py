"""The kit's metrics. `sagakit.runtime.metrics_server` shows them to Prometheus at ``METRICS_LISTEN``."""

import collections
import itertools
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

CONSUMED = Counter("sagakit_messages_consumed_total", "Messages handled, their offset committed.", ["topic"])
PUBLISHED = Counter("sagakit_messages_published_total", "Messages acknowledged by Kafka.", ["topic"])
BATCH_MESSAGES = Histogram("sagakit_batch_messages", "Messages in one consumed batch.", buckets=_SIZES)
BATCH_SECONDS = Histogram("sagakit_batch_seconds", "From a batch's first message to its replies' acknowledgement.")
COMMIT_SECONDS = Histogram(
    "sagakit_batch_commit_seconds", "From a batch's first statement to its last commit.", buckets=_QUICK
)
PUBLISH_SECONDS = Histogram(
    "sagakit_publish_seconds", "From handing messages to Kafka's client to their acknowledgement.", buckets=_QUICK
)
CONNECTIONS_IN_USE = Gauge("sagakit_database_connections_in_use", "Pooled connections to the database in use.")
LOOP_LAG = Histogram("sagakit_event_loop_lag_seconds", "By how much the event loop is late.", buckets=_QUICK)
REJOINED = Counter("sagakit_consumer_rejoins_total", "Times that a stalled consumer joined its group anew.")
RECONNECTED = Counter(
    "sagakit_producer_reconnects_total", "Times that a producer which no broker answered connected anew."
)
REWOUND = Counter("sagakit_batches_rewound_total", "Batches that failed and are done again.", ["error"])
HELD_BACK = Gauge(
    "sagakit_messages_held_back", "Messages that fail for no known reason, until another of their kind is handled."
)
HALTED = Gauge("sagakit_consumer_halted", "1 where consuming is halted, because no message can be handled.")
HALTED_SINCE = Gauge("sagakit_consumer_halted_since_seconds", "When that began, in Unix time; 0 where it is not so.")
HALTED_REASON = Gauge("sagakit_consumer_halted_reason", "1 with the reason why consuming is halted.", ["reason"])
DEAD_LETTERS = Counter("sagakit_dead_letters_total", "Messages parked in the dead-letter topic.", ["topic", "reason"])
OUTBOX_RELAYED = Counter("sagakit_outbox_relayed_total", "Outbox rows that the relay published, not the fast path.")
GROUP_COMMIT_CALLS = Histogram(
    "sagakit_group_commit_calls", "Calls, or items of lists, in one round trip.", ["what"], buckets=_SIZES
)
RPCS = Counter("sagakit_rpcs_total", "gRPC calls ended.", ["method", "code"])
STREAMS = Gauge("sagakit_rpc_streams", "gRPC streams that have begun and not ended.", ["method"])
RPC_SECONDS = Histogram("sagakit_rpc_seconds", "Duration of gRPC calls.", ["method"])
TLS_FILES_CHANGED = Counter(
    "sagakit_tls_files_changed_total",
    "Times that TLS files had changed, by who uses them and outcome.",
    ["of", "outcome"],
)
BUILD = Gauge("sagakit_build_info", "1, with what the service was built from.", ["version", "revision"])
READY = Gauge("sagakit_ready", "1 where the service is ready.")


def begin_at_zero(counter: Counter, *labels: Iterable[str]) -> None:
    """Create a series of ``counter``, at zero, for every combination of its labels' values.

    Prometheus's ``increase()`` does not see the first count of a series that begins with it.
    """
    for values in itertools.product(*labels):
        counter.labels(*values)


def exemplar(trace_id: str | None) -> dict[str, str] | None:
    """Return the exemplar that leads from a measured duration to its trace; None where there is no such trace."""
    return {"trace_id": trace_id} if trace_id else None


def tally(counter: Counter, labels: Iterable[str]) -> None:
    """Count each of ``labels``, values of the counter's one label; equal ones together, as each count takes a lock."""
    for label, times in collections.Counter(labels).items():
        counter.labels(label).inc(times)
