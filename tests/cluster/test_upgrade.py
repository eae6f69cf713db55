"""From the release before to this version and back, and what cannot be changed by an upgrade."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import before
from tests.cluster.before import fingerprint
from tests.cluster.release import NAME, Load, Release, typed
from tools.chart_readme import CHART

ORDERS = 500
pytestmark = pytest.mark.timeout(1800)


DEFAULT = "storageclass.kubernetes.io/is-default-class"
CLASS = "order-saga-growing"
OPTIONS = ("--set", f"kafka.storage.className={CLASS}")


@pytest.fixture(scope="module")
def storage_class() -> Iterator[None]:
    """A storage class like the cluster's default, which lets volumes grow."""
    cluster = Release("default")
    found = json.loads(cluster.kubectl("get", "storageclasses", "--output", "json"))["items"]
    (default,) = [one for one in found if one["metadata"].get("annotations", {}).get(DEFAULT) == "true"]
    growing = {key: one for key, one in default.items() if key != "metadata"} | {"allowVolumeExpansion": True}
    cluster.kubectl("apply", "--filename", "-", stdin=json.dumps({**growing, "metadata": {"name": CLASS}}))
    yield
    cluster.kubectl("delete", "storageclass", CLASS, "--ignore-not-found")


@pytest.fixture(scope="module")
def released(storage_class: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:  # noqa: ARG001
    """The release before, with volumes that may grow."""
    with before.installed(tmp_path_factory.mktemp("before"), *OPTIONS) as release:
        yield release


@pytest.fixture
def present(released: Release) -> Release:
    """The same installation by this version's chart."""
    return before.by_this_version(released, *OPTIONS)


def test_names_of_the_release_before_are_refused_and_what_the_refusal_says_is_accepted(present: Release) -> None:
    untouched = fingerprint(present)
    refused = present.helm("upgrade", NAME, str(CHART), "--reuse-values", check=False)
    assert re.search(r"orderSvc +is now +services\.order\n", refused)
    options = re.findall(r"^ +(--reset-then-reuse-values .+)$", refused, re.MULTILINE)
    assert len(options) == 1
    accepted = present.helm("upgrade", NAME, str(CHART), "--dry-run=server", "--output", "json", *options[0].split())
    objects = yaml.safe_load_all(json.loads(accepted)["manifest"])
    replicas = {one["metadata"]["name"]: one["spec"]["replicas"] for one in objects if one["kind"] == "Deployment"}
    assert replicas["demo-order-svc"] == 2
    assert fingerprint(present) == untouched


def test_the_release_before_becomes_this_version_under_load_and_again_the_release_before(
    released: Release, present: Release
) -> None:
    load = Load(released, "load-upgrade", ORDERS, seconds=60)
    load.begun()
    present.upgrade()
    print(load.must_lose_nothing())  # for whoever asks for it with -s
    load = Load(released, "load-rollback", ORDERS, seconds=60)
    load.begun()
    released.helm("rollback", NAME, "--wait", "--timeout", "10m")
    print(load.must_lose_nothing())  # for whoever asks for it with -s
    present.upgrade()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("kafka.storage.size=8Gi", "the volumes of demo-kafka have 1Gi"),
        ("postgres.storage.size=512Mi", "a volume cannot shrink"),
        ("postgres.storage.className=fast", "a volume cannot move to another class"),
        ("postgres.image=postgres:17", "would begin with empty databases"),
    ],
)
def test_what_an_upgrade_cannot_change_is_refused_before_anything_is_touched(
    present: Release, value: str, problem: str
) -> None:
    untouched = fingerprint(present)
    assert problem in present.upgrade("--set", value, check=False)
    assert fingerprint(present) == untouched


def test_a_volume_is_grown_by_the_commands_that_the_refusal_names(present: Release) -> None:
    pods = {pod["metadata"]["uid"] for pod in present.pods("kafka")}
    refused = present.upgrade("--set", "kafka.storage.size=2Gi", check=False)
    commands = re.findall(r"^ +(kubectl .+)$", refused, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        typed(command)
    present.upgrade("--set", "kafka.storage.size=2Gi")
    assert {pod["metadata"]["uid"] for pod in present.pods("kafka")} == pods  # they were never stopped
    (claim,) = present.get("pvc", "--field-selector", f"metadata.name=data-{NAME}-kafka-0")
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    present.helm("test", NAME, "--timeout", "5m")
