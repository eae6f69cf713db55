"""The job that makes the secrets, before everything else: when it runs, what it may do, and that nothing is missing."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_secrets.wanted import mentions
from tests.unit.chart.rendering import PRODUCTION, Objects, contracts, objects, pod_specs
from tests.unit.chart.running import SECRETS, made
from tools.chart import misfits
from tools.chart_readme import CHART
from tools.paths import ROOT

GIVEN: dict[str, object] = {"logins.existingSecrets": "*-login", "tls.existingSecrets": "*-tls"}
ISSUED: dict[str, object] = {"logins.existingSecrets": "*-login", "tls.issuerRef.name": "ours"}
CASES: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "as-it-comes": ((), {}),
    "three-nodes": ((), {"kafka.nodes": 3}),
    "production": (PRODUCTION, {}),
    "without-the-console": ((), {"console.enabled": False}),
    "by-lag": ((), {"services.order.autoscaling": {"by": "lag", "max": 3}}),
    "given-passwords": ((), {"logins.existingSecrets": "*-passwords"}),
    "given-certificates": ((), {"tls.existingSecrets": "*-certificate"}),
    "watched": ((), {"serviceMonitor.enabled": True}),
}
NAMED = {"name", "secretName"}
"""The keys by which an object names a secret."""


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """The chart as it comes."""
    return objects()


@cache
def in_case(case: str) -> Objects:
    """Return what the chart makes in one of the cases."""
    options, values = CASES[case]
    return objects(*options, values=values)


def secrets_named_in(what: object) -> Iterator[str]:
    """Yield the names of this release's secrets that stand somewhere in an object."""
    if isinstance(what, dict):
        for key, value in what.items():
            if key in NAMED and isinstance(value, str) and value.endswith(("-login", "-tls", "-ca")):
                yield value
            yield from secrets_named_in(value)
    elif isinstance(what, list):
        for one in what:
            yield from secrets_named_in(one)


@pytest.mark.parametrize("case", CASES)
def test_every_secret_that_is_read_and_not_given_is_made(case: str) -> None:
    found = in_case(case)
    read = {name for key, one in found.items() if key[1] != SECRETS for name in secrets_named_in(one)}
    ours = {name for name in read if name.startswith("demo-")}
    assert ours
    assert made(found).keys() - ours <= {"demo-ca"}
    assert ours <= made(found).keys()


def before(rendered: Objects) -> dict[str, Mapping[str, Any]]:
    """Return what runs before an installation or an upgrade, by its kind."""
    return {
        kind: one
        for (kind, _), one in rendered.items()
        if "pre-" in one["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    }


def test_it_runs_before_everything_else_and_leaves_no_right_behind(rendered: Objects) -> None:
    """Helm's words are understood by Argo CD: pre-install is PreSync there, a weight is a wave."""
    found = before(rendered)
    assert set(found) == {"ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "Job"}
    annotations = [one["metadata"]["annotations"] for one in found.values()]
    assert {one["helm.sh/hook"] for one in annotations} == {"pre-install,pre-upgrade"}
    assert {one["helm.sh/hook-delete-policy"] for one in annotations} == {"before-hook-creation,hook-succeeded"}
    weights = {kind: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for kind, one in found.items()}
    assert {kind for kind, weight in weights.items() if weight >= weights["Job"]} == {"Job"}


def test_it_may_make_secrets_and_see_and_change_those_of_its_plan_alone(rendered: Objects) -> None:
    make, change, *_ = before(rendered)["Role"]["rules"]
    assert make == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
    assert (change["resources"], change["verbs"]) == (["secrets"], ["get", "patch"])
    assert set(change["resourceNames"]) == made(rendered).keys()


@pytest.mark.parametrize("case", CASES)
def test_it_may_restart_whoever_reads_a_password_at_its_start_and_nobody_else(case: str) -> None:
    found = in_case(case)
    logins = [name for name in made(found) if name.endswith("-login")]
    readers = {
        (f"{kind.lower()}s", name)
        for (kind, name), one in found.items()
        if kind in {"Deployment", "StatefulSet"}
        if any(mentions(one["spec"]["template"], login) for login in logins)
    }
    rules = [one for one in before(found)["Role"]["rules"] if one["apiGroups"] == ["apps"]]
    may = {(rule["resources"][0], name) for rule in rules for name in rule["resourceNames"]}
    assert readers <= may
    assert ("statefulsets", "demo-kafka") not in may
    assert all(rule["verbs"] == ["get", "patch"] for rule in rules)


def test_it_alone_has_a_token_for_the_cluster(rendered: Objects) -> None:
    having = {name for name, spec in pod_specs(rendered).items() if "serviceAccountToken" in str(spec["volumes"])}
    accounts = {name: spec.get("serviceAccountName") for name, spec in pod_specs(rendered).items()}
    assert having == {SECRETS}
    assert {name for name, account in accounts.items() if account == SECRETS} == {SECRETS}


def test_it_reaches_the_cluster_s_api_wherever_that_is_and_is_reached_by_nobody(rendered: Objects) -> None:
    spec = before(rendered)["NetworkPolicy"]["spec"]
    labels = rendered["Job", SECRETS]["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"] == labels
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [{"ports": [{"protocol": "TCP"}]}]
    assert "ingress" not in spec
    assert "NetworkPolicy" not in before(objects(values={"networkPolicies.enabled": False}))


@pytest.mark.parametrize("values", [GIVEN, ISSUED], ids=["given", "issued"])
def test_where_all_of_them_are_given_or_issued_there_is_no_job_and_no_right(values: dict[str, object]) -> None:
    assert before(objects(values=values)) == {}


def test_its_objects_are_as_kubernetes_has_them(rendered: Objects) -> None:
    assert [line for one in before(rendered).values() for line in misfits(dict(one))] == []


def test_its_program_is_in_the_image(rendered: Objects) -> None:
    (container,) = pod_specs(rendered)[SECRETS]["containers"]
    assert container["command"] == ["python", "-m", "cluster_secrets"]
    assert "COPY cluster_secrets cluster_secrets" in (ROOT / "Dockerfile").read_text().splitlines()
    assert "!cluster_secrets" in (ROOT / ".dockerignore").read_text().splitlines()


def test_secrets_are_no_part_of_what_argo_cd_or_helm_removes(rendered: Objects) -> None:
    """Argo CD may take for its own what has the release's label, and remove it, as it is in no repository."""
    for secret in made(rendered).values():
        assert secret["metadata"]["labels"]["app.kubernetes.io/instance"] is None
        assert secret["metadata"]["labels"]["order-saga/release"] == "demo"
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_argo_cd_makes_the_job_of_the_contracts_anew_with_each_sync(rendered: Objects) -> None:
    """Among the other objects: nothing answers it before them, and after them none would be ready without it."""
    annotations = rendered["Job", contracts(rendered)]["metadata"]["annotations"]
    assert annotations == {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded",
    }


def test_helm_makes_it_anew_with_each_upgrade_so_that_one_that_has_failed_does_not_stay(tmp_path: Path) -> None:
    chart = tmp_path / "order-saga"
    shutil.copytree(CHART, chart)
    (chart / "values.schema.json").unlink()
    for file in (chart / "templates").glob("*.yaml"):  # without a cluster there is one revision: it is told here
        file.write_text(file.read_text().replace(".Release.Revision", "(int .Values.revision)"))

    def name(revision: int) -> str:
        command = ["helm", "template", "demo", str(chart), f"--set=revision={revision}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return contracts(
            {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}
        )

    assert name(1) == name(1) != name(2)


def test_it_is_another_job_where_it_has_something_else_to_do() -> None:
    def name(values: dict[str, object]) -> str:
        return contracts(objects(values=values))

    assert name({}) == name({"services.order.replicas": 2}) != name({"image.tag": "2.0.0"})
