"""The chart as Argo CD applies it: rendered without a cluster, hooks first, then everything else, again and again."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.release import NAME, Load, Release, is_ready, run, tag
from tests.support.wait import eventually
from tools.chart_readme import CHART

VALUES = ("--values", str(CHART / "values" / "ci.yaml"), "--set", f"image.tag={tag()}")
KINDS = "deployments,statefulsets"
pytestmark = pytest.mark.timeout(1200)


class Application:
    """What is applied of the rendered chart, as Argo CD does it, which keeps no record in the cluster."""

    def __init__(self, release: Release) -> None:
        self.release = release

    def rendered(self) -> list[dict[str, Any]]:
        """Return the chart's objects; but for its version nothing is read from the cluster."""
        version = json.loads(self.release.kubectl("version", "--output", "json"))["serverVersion"]["gitVersion"]
        where = ("--namespace", self.release.namespace, "--kube-version", version)
        text = run("helm", "template", NAME, str(CHART), *where, *VALUES)
        return [one for one in yaml.safe_load_all(text) if one]

    def sync(self) -> None:
        """Apply the hooks of PreSync, remove them when they have succeeded, then apply the rest, `Sync` hooks anew."""
        objects = self.rendered()
        before = [one for one in objects if "pre-install" in annotation(one, "helm.sh/hook")]
        rest = [one for one in objects if not annotation(one, "helm.sh/hook")]
        self._apply(sorted(before, key=lambda one: int(annotation(one, "helm.sh/hook-weight"))))
        self.release.kubectl("wait", "--for=condition=complete", f"job/{NAME}-secrets", "--timeout=240s")
        self._remove(before)
        self._remove([one for one in rest if annotation(one, "argocd.argoproj.io/hook") == "Sync"])
        self._apply(rest)

    def must_be_ready(self) -> None:
        """Wait until every pod is ready, and the job has ended."""
        for one in self.release.get(KINDS):
            self.release.kubectl("rollout", "status", f"{one['kind']}/{one['metadata']['name']}", "--timeout=600s")
        self.release.kubectl("wait", "--for=condition=complete", "job", "--all", "--timeout=300s")

    def _apply(self, objects: list[dict[str, Any]]) -> None:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.release.kubectl("apply", "--filename", "-", stdin=json.dumps(everything))

    def _remove(self, objects: list[dict[str, Any]]) -> None:
        for one in objects:
            self.release.kubectl("delete", one["kind"], one["metadata"]["name"], "--ignore-not-found", "--timeout=60s")


def annotation(one: dict[str, Any], name: str) -> str:
    """Return an annotation of an object; empty where it has none of that name."""
    found: str = (one["metadata"].get("annotations") or {}).get(name, "")
    return found


@pytest.fixture(scope="module")
def application() -> Iterator[Application]:
    """The chart after a first sync."""
    release = Release(f"order-saga-{uuid.uuid4().hex[:6]}")
    try:
        release.create()
        found = Application(release)
        found.sync()
        found.must_be_ready()
        yield found
    finally:
        release.remove()


def pods(release: Release) -> dict[str, set[str]]:
    """Return the ids of the pods that go on running, by their part."""
    found: dict[str, set[str]] = {}
    for pod in release.pods():
        if "job-name" not in pod["metadata"]["labels"] and "deletionTimestamp" not in pod["metadata"]:
            part = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            found.setdefault(part, set()).add(pod["metadata"]["uid"])
    return found


def secrets(release: Release) -> dict[str, Any]:
    """Return what stands in the secrets that the job has made, by their names."""
    made = release.get("secrets", "--selector", f"order-saga/release={NAME}")
    return {one["metadata"]["name"]: one["data"] for one in made}


def test_orders_go_through_after_the_first_sync(application: Application) -> None:
    Load(application.release, "load-first", 50, seconds=5).must_lose_nothing()


def test_the_right_to_write_secrets_is_gone(application: Application) -> None:
    left = application.release.get("roles,rolebindings,serviceaccounts,jobs,networkpolicies")
    assert f"{NAME}-secrets" not in {one["metadata"]["name"] for one in left}


def test_the_next_sync_changes_nothing_and_makes_the_job_of_the_contracts_anew(application: Application) -> None:
    release = application.release

    def job() -> str:
        (found,) = release.get("jobs", "--selector", "app.kubernetes.io/component=contracts")
        return str(found["metadata"]["uid"])

    before = (pods(release), secrets(release), [one["metadata"]["generation"] for one in release.get(KINDS)])
    former = job()
    application.sync()
    application.must_be_ready()
    assert before == (pods(release), secrets(release), [one["metadata"]["generation"] for one in release.get(KINDS)])
    assert job() != former


def test_a_secret_that_is_removed_is_made_anew_by_a_sync_and_its_readers_are_replaced(application: Application) -> None:
    release = application.release
    running, there = pods(release), secrets(release)
    release.kubectl("delete", "secret", f"{NAME}-order-login")
    application.sync()
    application.must_be_ready()

    def replaced() -> set[str]:
        now_running = pods(release)
        assert all(is_ready(pod) for pod in release.pods("order-svc"))
        return {part for part in running if not running[part] & now_running[part]}

    eventually(lambda: _must_equal(replaced(), {"order-svc", "registry", "postgres"}), 300, every=1)
    made = secrets(release)
    assert {name for name in there if there[name] != made[name]} == {f"{NAME}-order-login"}
    Load(release, "load-rotated", 50, seconds=5).must_lose_nothing()


def _must_equal(found: set[str], wanted: set[str]) -> None:
    assert found == wanted


def test_another_authority_signs_every_certificate_anew(application: Application) -> None:
    release = application.release
    there = secrets(release)
    release.kubectl("delete", "secret", f"{NAME}-ca")
    application.sync()
    made = secrets(release)
    assert {name for name in there if there[name] != made[name]} == {
        name for name in there if name.endswith(("-ca", "-tls"))
    }
    assert {one["ca.crt"] for name, one in made.items() if name.endswith(("-ca", "-tls"))} == {
        made[f"{NAME}-ca"]["ca.crt"]
    }


FORMER = """
apiVersion: v1
kind: Secret
metadata:
  name: {name}-order-login
  labels: {{app.kubernetes.io/instance: {name}, app.kubernetes.io/name: order-saga}}
stringData: {{kafka: as-it-was, registry: this-too}}
"""
"""A secret as the chart rendered it before its job made secrets."""


def test_a_secret_that_helm_has_made_is_taken_over_with_what_stands_in_it(namespace: Release, tmp_path: Path) -> None:
    former = tmp_path / "order-saga"
    (former / "templates").mkdir(parents=True)
    (former / "Chart.yaml").write_text("apiVersion: v2\nname: order-saga\nversion: 0.0.1\n")
    (former / "templates" / "logins.yaml").write_text(FORMER.format(name=NAME))
    namespace.helm("install", NAME, str(former))
    for _ in range(2):
        namespace.helm("upgrade", NAME, str(CHART), *VALUES, "--timeout", "5m")
        found = namespace.secret(f"{NAME}-order-login")
        assert (found["kafka"], found["registry"]) == (b"as-it-was", b"this-too")
        assert found.keys() == {"kafka", "registry", "database", "owner"}
