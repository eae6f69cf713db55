"""`auth.mode=none` where others could reach a service: refused, with what to do, before anything is made."""

import pytest

from tests.cluster.release import NAME, Release

pytestmark = pytest.mark.timeout(600)
NODE_PORT = "services.order.service.type=NodePort"
OPEN = "by which others reach the service, and auth.mode is none: whoever does may do everything. Set auth.mode=jwt"
REFUSED = {
    "node-port": (NODE_PORT, f"services.order.service.type is NodePort, {OPEN}"),
    "load-balancer": (
        "serviceDefaults.service.type=LoadBalancer",
        f"services.delivery.service.type is LoadBalancer, {OPEN}",
    ),
    "the-console": (
        "console.service.type=NodePort",
        "console.service.type is NodePort, by which others reach the console, and auth.mode is none",
    ),
    "half-a-setting": (
        "auth.issuer=https://issuer.example",
        "auth.mode is none: auth.issuer has no meaning; set auth.mode=jwt",
    ),
}
WITH_TOKENS = "auth.mode=jwt,auth.issuer=https://issuer.example,auth.audience=the-shop,auth.jwksSecret=issuer-keys"


@pytest.mark.parametrize(("value", "problem"), REFUSED.values(), ids=REFUSED)
def test_it_is_not_installed(namespace: Release, value: str, problem: str) -> None:
    refused = namespace.helm("install", NAME, str(namespace.chart), "--set", value, check=False)
    assert problem in refused
    assert namespace.get("all,secrets,networkpolicies,persistentvolumeclaims") == []
    assert NAME not in namespace.helm("list", "--all", "--short")


def test_what_the_refusal_asks_for_is_accepted(namespace: Release) -> None:
    options = ("--dry-run=server", "--set", f"{NODE_PORT},{WITH_TOKENS}")
    accepted = namespace.helm("install", NAME, str(namespace.chart), *options)
    assert "type: NodePort" in accepted
    assert "Callers need a token of https://issuer.example for the-shop." in accepted


def test_a_release_that_runs_is_not_opened_by_an_upgrade(release: Release) -> None:
    before = release.helm("history", NAME), release.get("services")
    assert REFUSED["node-port"][1] in release.upgrade("--set", NODE_PORT, check=False)
    assert (release.helm("history", NAME), release.get("services")) == before
    assert "CALLERS NEED NO TOKEN (auth.mode=none)" in release.helm("get", "notes", NAME)
