"""The values that docs/chart-values.md shows are taken as they stand there, and do what the page says."""

import re

import pytest

from tests.unit.chart.rendering import TOKENS, Objects, objects, pod_specs, variables
from tests.unit.chart.test_network import Pod, of, reaches
from tools.chart import CUSTOM, misfits
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "chart-values.md").read_text()
EXAMPLES = dict(
    zip(
        ("pods", "openshift", "gateway", "ingress", "servers"),
        re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL),
        strict=True,
    )
)
"""By what they are about."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Objects]:
    """What the chart makes with each example, where callers need a token."""
    folder = tmp_path_factory.mktemp("examples")

    def of_block(title: str, block: str) -> Objects:
        file = folder / f"{title}.yaml"
        file.write_text(block)
        return objects("--values", str(file), values=TOKENS)

    return {title: of_block(title, block) for title, block in EXAMPLES.items()}


def test_every_example_is_taken_and_what_it_makes_fits_the_api(made: dict[str, Objects]) -> None:
    for title, rendered in made.items():
        found = [problem for one in rendered.values() if one["kind"] not in CUSTOM for problem in misfits(one)]
        assert found == [], title


def test_a_part_s_own_values_are_laid_over_the_defaults(made: dict[str, Objects]) -> None:
    kafka = made["pods"]["StatefulSet", "demo-kafka"]["spec"]["template"]["spec"]
    assert kafka["nodeSelector"] == {"pool": "shop", "disk": "fast"}
    assert kafka["terminationGracePeriodSeconds"] == 300
    order = made["pods"]["Deployment", "demo-order-svc"]["spec"]["template"]["spec"]
    assert {"name": "rules", "mountPath": "/rules", "readOnly": True} in order["containers"][0]["volumeMounts"]
    assert variables(order["containers"][0])["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_a_gateway_s_route_leads_to_the_service_whose_certificate_it_checks(made: dict[str, Objects]) -> None:
    rendered = made["gateway"]
    (backend,) = rendered["GRPCRoute", "demo-orders"]["spec"]["rules"][0]["backendRefs"]
    policy = rendered["BackendTLSPolicy", "demo-orders"]["spec"]
    assert ("Service", backend["name"]) in rendered
    assert [one["name"] for one in policy["targetRefs"]] == [backend["name"]] == [policy["validation"]["hostname"]]
    assert [one["name"] for one in policy["validation"]["caCertificateRefs"]] == ["demo-authority"]
    assert reaches(rendered, Pod("envoy-gateway-system", {}), of("order-svc"), 50051)
    assert not reaches(rendered, Pod("elsewhere", {}), of("order-svc"), 50051)


def test_an_ingress_leads_to_a_port_of_the_service_and_its_pods_are_let_in(made: dict[str, Objects]) -> None:
    rendered, controller = made["ingress"], Pod("ingress-nginx", {})
    for name, part, port in (("demo-orders", "order-svc", 50051), ("demo-console", "console", 8088)):
        ingress = rendered["Ingress", name]
        (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
        to = path["backend"]["service"]
        ports = {one["name"]: one["port"] for one in rendered["Service", to["name"]]["spec"]["ports"]}
        assert ports[to["port"]["name"]] == port
        assert reaches(rendered, controller, of(part), port)
        checked = ingress["metadata"]["annotations"]
        assert checked["nginx.ingress.kubernetes.io/proxy-ssl-name"] == to["name"]
        secret = checked["nginx.ingress.kubernetes.io/proxy-ssl-secret"].removeprefix("shop/")
        assert secret in str(pod_specs(rendered)["demo-secrets"]["containers"][0]["args"])
