"""The chart's part of ``make lint``: helm's own rules, and every object of every values file as Kubernetes has it.

The objects are held against the API's schemas by kubernetes-validate, which brings them along; kubeconform would have
to fetch them. Custom resources (KEDA's, cert-manager's, the Prometheus operator's, those of gateways) have none there.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped] # it has no types
import yaml

from tools.chart_readme import CHART, README, SCHEMA, readme, schema

KUBERNETES = ("1.30", "1.33", "1.37")
"""The versions that the objects have to fit: the oldest that the chart takes, the one it is run on, the newest."""
CUSTOM = {
    *("Certificate", "PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"),
    *("BackendTLSPolicy", "GRPCRoute", "HTTPRoute"),
}
"""Kinds that Kubernetes does not have by itself."""
# It reads all definitions of a version for each object anew, which takes twenty times as long as to look at the object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def main() -> int:
    """Run every check, print what each has to say, and return the process's exit status."""
    found = []
    for values in [None, *sorted((CHART / "values").glob("*.yaml"))]:
        name = f"values/{values.name}" if values else "values.yaml"
        found += [f"{name}: {line}" for line in problems(values)]
    if README.read_text() != readme():
        found.append(f"{README.name}: is not what values.yaml says; run `make gen`")
    if SCHEMA.read_text() != schema():
        found.append(f"{SCHEMA.name}: has not the services of values.yaml; run `make gen`")
    for line in found:
        print(f"helm/order-saga/{line}", file=sys.stderr)
    print(f"chart: {len(found)} problem(s)" if found else "chart: all fits")
    return 1 if found else 0


def problems(values: Path | None) -> Iterator[str]:
    """Yield what is wrong with the chart when ``values`` are given to it."""
    options = ["--values", str(values)] if values else []
    linted = _helm("lint", "--strict", "--quiet", str(CHART), *options)
    if linted.returncode:
        yield linted.stdout + linted.stderr
        return
    rendered = _helm("template", "demo", str(CHART), *options)
    if rendered.returncode:
        yield rendered.stderr
        return
    for document in yaml.safe_load_all(rendered.stdout):
        if document and document["kind"] not in CUSTOM:
            yield from misfits(document)


def misfits(document: dict[str, object]) -> Iterator[str]:
    """Yield how an object does not fit the API's schemas, by version."""
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            yield f"{document['kind']}: does not fit Kubernetes {version}: {error}"


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
