"""What the services count by themselves: messages and transactions, read from their metrics."""

import ssl
import urllib.request
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from devstack.security import Security
from devstack.services import Service
from devstack.stack import Stack

CREATES = "creates"
"""The name under which order_svc's group commits are counted, beside what it consumes."""


class Counts(NamedTuple):
    """What has been handled since a process began."""

    messages: float
    transactions: float

    def since(self, before: "Counts") -> "Counts":
        """Return what has been handled since ``before``."""
        return Counts(self.messages - before.messages, self.transactions - before.transactions)


def counts(stack: Stack) -> dict[str, Counts]:
    """Return what each service has handled, and what was created, by the part's name: replicas count by themselves."""
    found = {}
    for part in stack.parts:
        if isinstance(part, Service) and part.pid is not None:
            served = _metrics(part.metrics, stack.security)
            found[part.name] = Counts(served["sagakit_batch_messages_sum"], served["sagakit_batch_messages_count"])
            if part.module == "order_svc":
                name = part.name.replace(part.module, CREATES)
                found[name] = Counts(served.get("create_order_sum", 0.0), served.get("create_order_count", 0.0))
    return found


def per_transaction(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> dict[str, float]:
    """Return how many messages shared a transaction, by service; replicas count together."""
    messages: Counter[str] = Counter()
    transactions: Counter[str] = Counter()
    for part, counted in after.items():
        handled = counted.since(before[part])
        messages[part.removesuffix("-2")] += int(handled.messages)
        transactions[part.removesuffix("-2")] += int(handled.transactions)
    return {name: messages[name] / max(1, transactions[name]) for name in messages}


def _metrics(address: str, security: Security) -> dict[str, float]:
    context = ssl.create_default_context(cafile=security.ca) if security.on else None
    url = f"{'https' if context else 'http'}://{address}/metrics"
    with urllib.request.urlopen(url, context=context) as answer:  # noqa: S310 - an HTTP URL
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("what") == "create_order":
                found[f"create_order_{sample.name.rpartition('_')[2]}"] = sample.value
            elif not sample.labels:
                found[sample.name] = sample.value
    return found
