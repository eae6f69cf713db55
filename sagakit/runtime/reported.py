"""What a service says of itself in its metrics: ready or not, halted or not, since when and why."""

import ssl
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

_SECONDS = 5.0
UNREADABLE = (OSError, ValueError, HTTPException)
"""What reading metrics raises where nobody answers, or somebody who speaks otherwise."""
_NOT_READY = "it starts or stops, waits for Kafka or the registry, or its database takes no writes: its log says which"


@dataclass(frozen=True)
class Report:
    """A service's state, by its metrics."""

    service: str
    metrics: str
    ready: bool = False
    halted: bool = False
    since: str | None = None
    """Since when it is halted, in UTC."""
    reason: str | None = None
    """Why it is halted, or does not answer, or where to look why it is not ready."""
    held_back: int | None = None
    """Messages that fail for no known reason, and wait until another of their kind is handled; None where it does not
    answer."""
    dead_letters: int | None = None
    """Messages parked since it was started; None where it does not answer."""
    outbox: int | None = None
    """Rows in its outbox at the last count; None where it has none, or does not answer."""
    version: str = ""
    """What it was built from; empty where it does not say."""
    revision: str = ""
    """The revision of that; empty where it does not say."""


def read_metrics(address: str, context: ssl.SSLContext | None, seconds: float) -> str:
    """Return the metrics at ``address``, in Prometheus's text format; over TLS where there is a ``context``.

    It waits for ``seconds`` at each step, and raises one of `UNREADABLE` where they cannot be had. It asks no proxy
    that the environment names: services are near, and their APIs are called without one, too.
    """
    url = f"https://{address}/metrics" if context else f"http://{address}/metrics"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with direct.open(url, timeout=seconds) as answer:
        return str(answer.read().decode())


def read_report(name: str, address: str, context: ssl.SSLContext | None) -> Report:
    """Return what the service called ``name`` reports at ``address``, over TLS where there is a ``context``."""
    try:
        families = list(text_string_to_metric_families(read_metrics(address, context, _SECONDS)))
    except UNREADABLE as error:
        return Report(name, address, reason=f"it does not answer: {getattr(error, 'reason', error)}")
    samples = [sample for family in families for sample in family.samples]
    values = {sample.name: sample.value for sample in samples}
    since = values.get("sagakit_consumer_halted_since_seconds")
    reasons = [s.labels["reason"] for s in samples if s.name == "sagakit_consumer_halted_reason"]
    build = next((sample.labels for sample in samples if sample.name == "sagakit_build_info"), {})
    ready, outbox = values.get("sagakit_ready") == 1, values.get("sagakit_outbox_rows")
    return Report(
        name,
        address,
        ready=ready,
        halted=values.get("sagakit_consumer_halted") == 1,
        since=datetime.fromtimestamp(since, UTC).isoformat(sep=" ", timespec="seconds")[:19] if since else None,
        reason=reasons[0] if reasons else None if ready else _NOT_READY,
        held_back=int(values.get("sagakit_messages_held_back") or 0),
        outbox=None if outbox is None else int(outbox),
        version=build.get("version", ""),
        revision=build.get("revision", ""),
        dead_letters=int(sum(s.value for s in samples if s.name == "sagakit_dead_letters_total")),
    )
