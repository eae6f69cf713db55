"""The chart as helm renders it, for assertions on its objects."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from sagakit.service.manifest import found
from tools.chart_readme import CHART
from tools.paths import ROOT

Objects = dict[tuple[str, str], dict[str, Any]]
SERVICES = tuple(name.replace("_", "-") for name in found(ROOT))
PRODUCTION = ("--values", str(CHART / "values" / "production.yaml"))
TOKENS: dict[str, object] = {
    "auth.mode": "jwt",
    "auth.issuer": "https://issuer.example",
    "auth.audience": "the-shop",
    "auth.jwksUrl": "https://issuer.example/keys",
}
"""The values by which callers need a token."""


def template(*options: str, name: str = "demo") -> "subprocess.CompletedProcess[str]":
    """Render the chart; the result may be a refusal."""
    command = ["helm", "template", name, str(CHART), "--namespace", "shop", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def objects(*options: str, name: str = "demo", values: Mapping[str, object] | None = None) -> Objects:
    """Return what the chart makes, by kind and name; ``values`` are by their paths."""
    given = [f"--set-json={key}={json.dumps(value)}" for key, value in (values or {}).items()]
    done = template(*options, *given, name=name)
    assert done.returncode == 0, done.stderr
    documents = [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    assert len(by_name) == len(documents)
    return by_name


def pod_specs(rendered: Objects) -> dict[str, dict[str, Any]]:
    """Return every pod's specification, by its object's name."""
    workloads = ("Deployment", "StatefulSet", "Job")
    specs = {name: one["spec"]["template"]["spec"] for (kind, name), one in rendered.items() if kind in workloads}
    return specs | {name: one["spec"] for (kind, name), one in rendered.items() if kind == "Pod"}


def contracts(rendered: Objects) -> str:
    """Return the name of the job that makes topics, logins and schemas."""
    (found,) = (name for kind, name in rendered if kind == "Job" and "-contracts-" in name)
    return found


def job(rendered: Objects) -> dict[str, Any]:
    """Return the specification of that job's pod."""
    return pod_specs(rendered)[contracts(rendered)]


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a pod's containers, those that run first included."""
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def variables(container: dict[str, Any]) -> dict[str, Any]:
    """Return a container's variables."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container.get("env", [])}


def secret_keys(container: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the passwords that a container gets, each by its secret and its key."""
    given = variables(container).values()
    read = [value["secretKeyRef"] for value in given if isinstance(value, dict) and "secretKeyRef" in value]
    return {(one["name"], one["key"]) for one in read}
