"""An installation that cannot work says why, in a line that a person understands."""

import pytest

from tests.cluster.release import NAME, Release
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(600)


def test_a_wrong_image_tag_is_named_by_describe(namespace: Release) -> None:
    namespace.install("--wait=false", "--set", "image.tag=no-such-tag")

    def named() -> None:
        output = namespace.kubectl("describe", "pods", "--selector", "app.kubernetes.io/component=order-svc")
        assert "order-saga/order-svc:no-such-tag" in output
        assert "ErrImage" in output or "ImagePullBackOff" in output

    eventually(named, 120, every=1)


def test_too_little_memory_is_named_by_describe(namespace: Release) -> None:
    tiny = (
        "--set",
        "services.order.resources.limits.memory=24Mi",
        "--set",
        "services.order.resources.requests.memory=24Mi",
    )
    namespace.install("--wait=false", *tiny)

    def named() -> None:
        output = namespace.kubectl("describe", "pods", "--selector", "app.kubernetes.io/component=order-svc")
        assert "OOMKilled" in output

    eventually(named, 240, every=1)


def test_a_registry_that_never_comes_is_named_in_the_services_log(namespace: Release) -> None:
    gone = ("--set", "registry.enabled=false", "--set", "registry.external.url=https://registry.nowhere:8443")
    namespace.install("--wait=false", *gone)

    def named() -> None:
        output = namespace.kubectl("logs", f"deployment/{NAME}-order-svc", check=False)
        assert "the schema registry cannot be reached" in output
        job = namespace.kubectl("logs", "--selector", "app.kubernetes.io/component=contracts", check=False)
        assert "the schema registry cannot be reached" in job
        assert all(restarts == 0 for name, restarts in namespace.restarts().items() if "order-svc" in name)

    eventually(named, 300, every=1)
