"""What a container of the chart finds when it runs: its variables, with passwords, and the files of its secrets."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cluster_secrets.plan import Plan
from cluster_secrets.wanted import Object, change, wanted
from sagakit.runtime.settings import Settings
from tests.unit.chart.rendering import Objects, pod_specs, variables

SECRETS = "demo-secrets"
"""The job that makes secrets."""


def made(rendered: Objects) -> dict[str, Object]:
    """Return the secrets that the job makes in an empty cluster, by their names; the same ones for the same plan."""
    return _made(pod_specs(rendered)[SECRETS]["containers"][0]["args"][0]) if ("Job", SECRETS) in rendered else {}


def in_a_cluster(rendered: Objects) -> Iterator[Object]:
    """Yield these secrets as they are sent to a cluster that has none of them."""
    for secret in made(rendered).values():
        sent = change(secret, None)
        assert sent
        yield sent


@cache
def _made(plan: str) -> dict[str, Object]:
    secrets = wanted(Plan.model_validate_json(plan), {}, datetime.now(UTC))
    return {one["metadata"]["name"]: one for one in secrets}


def data_of(rendered: Objects, secret: str) -> dict[str, bytes]:
    """Return what stands in a secret of the chart's, by key."""
    return {key: base64.b64decode(value) for key, value in made(rendered)[secret]["data"].items()}


def tls_secret(spec: dict[str, Any]) -> str:
    """Return the secret that a pod mounts at ``/tls``."""
    (found,) = (one["secret"]["secretName"] for one in spec["volumes"] if one["name"] == "tls")
    return str(found)


def lay_out(rendered: Objects, spec: dict[str, Any], folder: Path) -> None:
    """Write the files of ``/tls`` below ``folder``, as the container would find them."""
    (folder / "tls").mkdir(parents=True, exist_ok=True)
    for name, content in data_of(rendered, tls_secret(spec)).items():
        (folder / "tls" / name).write_bytes(content)


def environment(rendered: Objects, container: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the container's variables, with the passwords of the chart's secrets, and paths below ``folder``."""
    found: dict[str, str] = {}
    for name, value in variables(container).items():
        if isinstance(value, dict):
            of = value.get("secretKeyRef", {})
            found[name] = data_of(rendered, of["name"])[of["key"]].decode() if of else "0"
        else:
            found[name] = (
                _filled_in(value, found).replace("/tls/", f"{folder}/tls/").replace("/jwks/", f"{folder}/jwks/")
            )
    return found


def step_in(
    monkeypatch: pytest.MonkeyPatch,
    rendered: Objects,
    container: dict[str, Any],
    folder: Path,
    *families: type[Settings],
) -> dict[str, str]:
    """Give this process the container's variables, as `environment` returns them, and no others of ``families``."""
    given = environment(rendered, container, folder)
    for family in families:
        for name in family.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def _filled_in(value: str, known: dict[str, str]) -> str:
    """Return a variable's value with the variables before it that it names."""
    for name, text in known.items():
        value = value.replace(f"$({name})", text)
    return value
