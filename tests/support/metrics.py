"""Reading a service's metrics as Prometheus does."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.support import trust


def metric(address: str, name: str, **labels: str) -> float:
    """Return the sum of the samples ``name`` that carry ``labels``; 0 where there is none yet."""
    url, context = trust.page(address)
    with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - an HTTP URL
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())
