"""Whose certificates the chart makes or asks for, what is in them, and who is given which."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.unit.chart.rendering import (
    PRODUCTION,
    SERVICES,
    TOKENS,
    Objects,
    contracts,
    job,
    objects,
    pod_specs,
    variables,
)
from tests.unit.chart.running import data_of, in_a_cluster, made, tls_secret
from tools.chart import misfits

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
SUBJECTS = {
    **{noun: f"{noun}_svc" for noun in NOUNS},
    "kafka": "broker",
    "deployer": "deployer",
    "registry": "registry",
    "postgres": "postgres",
    "operators": "operators",
    "console": "console",
}
ISSUER = {"tls.issuerRef": {"name": "ours", "kind": "Issuer"}}


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """The chart as it comes."""
    return objects(values={"kafka.nodes": 3})


def certificate(rendered: Objects, noun: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(data_of(rendered, f"demo-{noun}-tls")["tls.crt"])


def names(found: x509.Certificate) -> list[str]:
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("noun", SUBJECTS)
def test_each_part_has_a_certificate_of_the_release_s_own_authority(rendered: Objects, noun: str) -> None:
    data = data_of(rendered, f"demo-{noun}-tls")
    found, key = certificate(rendered, noun), load_pem_private_key(data["tls.key"], password=None)
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(data["ca.crt"]))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == found.public_key()
    assert data["tls.key"].startswith(b"-----BEGIN PRIVATE KEY-----\n"), "PKCS #8, which Kafka reads"
    assert [one.value for one in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [SUBJECTS[noun]]
    assert data["ca.crt"] == data_of(rendered, "demo-ca")["ca.crt"]


def test_the_authority_says_what_its_key_is_for() -> None:
    authority = x509.load_pem_x509_certificate(data_of(objects(), "demo-ca")["ca.crt"])
    usage = authority.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_s_key_is_mounted_nowhere(rendered: Objects) -> None:
    assert {key for key, one in rendered.items() if "demo-ca" in str(one)} == {
        ("Job", "demo-secrets"),
        ("Role", "demo-secrets"),
    }
    assert "demo-ca" not in str(pod_specs(rendered)["demo-secrets"]["volumes"])


@pytest.mark.parametrize("noun", NOUNS)
def test_a_service_s_certificate_is_for_its_names_and_for_a_forwarded_port(rendered: Objects, noun: str) -> None:
    found = names(certificate(rendered, noun))
    assert {f"demo-{noun}-svc", f"demo-{noun}-svc.shop.svc", "localhost"} <= set(found)
    assert not [name for name in found if "kafka" in name]


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_metrics_are_found_by_a_name_of_the_service_s_certificate(kind: str) -> None:
    values = {**TOKENS, "services.order.service.type": kind}
    found = objects(values=values)
    (container,) = pod_specs(found)["demo-console"]["containers"]
    host = variables(container)["ORDER_SVC_METRICS"].removesuffix(":9101")
    assert ("Service", host) in found
    assert host in names(certificate(found, "order"))


def test_the_console_s_certificate_is_for_a_forwarded_port_and_for_its_public_name() -> None:
    public = {"console.publicUrl": "https://console.shop.example/", "networkPolicies.enabled": False}
    found = objects(values={**TOKENS, **public})
    assert {"localhost", "demo-console", "console.shop.example"} <= set(names(certificate(found, "console")))


def test_the_console_s_certificate_is_for_the_address_where_that_is_no_name() -> None:
    public = {"console.publicUrl": "https://192.168.49.2:30088", "networkPolicies.enabled": False}
    found = certificate(objects(values={**TOKENS, **public}), "console")
    addresses = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.IPAddress
    )
    assert [str(one) for one in addresses] == ["127.0.0.1", "192.168.49.2"]
    assert "192.168.49.2" not in names(found)
    asked = objects(values={**TOKENS, **public, **ISSUER})
    assert asked["Certificate", "demo-console-issued"]["spec"]["ipAddresses"] == ["127.0.0.1", "192.168.49.2"]
    assert asked["Certificate", "demo-order-issued"]["spec"]["ipAddresses"] == ["127.0.0.1"]


def test_kafka_s_certificate_is_for_each_node(rendered: Objects) -> None:
    found = set(names(certificate(rendered, "kafka")))
    assert {
        "demo-kafka",
        "demo-kafka-nodes",
        *(f"demo-kafka-{id_}.demo-kafka-nodes.shop.svc" for id_ in range(3)),
    } <= found


@pytest.mark.parametrize(("values", "end"), [({}, "tls"), (ISSUER, "issued")], ids=["own", "cert-manager"])
def test_each_pod_has_its_own_certificate_and_no_other(values: dict[str, object], end: str) -> None:
    found = objects(values=values)
    specs = pod_specs(found)
    without = {contracts(found), "demo-secrets"}
    mounted = {name: tls_secret(spec) for name, spec in specs.items() if name not in without}
    assert mounted == {
        **{f"demo-{noun}-svc": f"demo-{noun}-{end}" for noun in NOUNS},
        **{f"demo-{part}": f"demo-{part}-{end}" for part in ("kafka", "registry", "postgres", "operators", "console")},
        **{f"demo-test-{case}": f"demo-operators-{end}" for case in ("completes", "is-undone")},
    }
    assert tls_secret(job(found)) == f"demo-deployer-{end}"


def test_certificates_of_cert_manager_are_asked_for_by_the_same_hosts_and_none_is_made(rendered: Objects) -> None:
    asked = objects(values={**ISSUER, "kafka.nodes": 3})
    assert not [name for name in made(asked) if name.endswith(("-tls", "-ca"))]
    for noun, subject in SUBJECTS.items():
        spec = asked["Certificate", f"demo-{noun}-issued"]["spec"]
        assert (spec["secretName"], spec["commonName"]) == (f"demo-{noun}-issued", subject)
        assert spec["dnsNames"] == names(certificate(rendered, noun))
        assert spec["issuerRef"] == {"name": "ours", "kind": "Issuer"}
        assert spec["privateKey"]["encoding"] == "PKCS8"


def test_no_secret_that_the_chart_has_made_is_left_to_cert_manager() -> None:
    """It would take the certificate in there for its own, whose authority the parts with new ones do not believe."""
    issued = {one["spec"]["secretName"] for (kind, _), one in objects(values=ISSUER).items() if kind == "Certificate"}
    assert issued
    assert not made(objects()).keys() & issued


def test_given_certificates_are_mounted_and_none_is_made() -> None:
    given = objects(values={"tls.existingSecrets": "*-tls"})
    assert not [name for name in made(given) if name.endswith(("-tls", "-ca"))]
    assert not [name for kind, name in given if kind == "Certificate"]
    specs = pod_specs(given)
    assert tls_secret(specs["demo-order-svc"]) == "order-tls"
    assert tls_secret(specs["demo-kafka"]) == "kafka-tls"
    assert tls_secret(job(given)) == "deployer-tls"


def test_authorities_of_external_servers_are_mounted_where_they_are_called_from() -> None:
    found = objects(*PRODUCTION, values={"tls.authoritiesSecret": "authorities"})
    for name in (*(f"demo-{service}" for service in SERVICES), "demo-operators"):
        (container, *_) = pod_specs(found)[name]["containers"]
        assert "/authorities" in [one["mountPath"] for one in container["volumeMounts"]], name
    assert "/authorities" in [one["mountPath"] for one in job(found)["containers"][0]["volumeMounts"]]


@pytest.mark.parametrize("values", [{}, ISSUER, {"tls.existingSecrets": "*-tls"}], ids=["own", "cert-manager", "given"])
def test_what_is_made_is_as_kubernetes_has_it(values: dict[str, object]) -> None:
    found = objects(values=values)
    documents = [one for (kind, _), one in found.items() if kind != "Certificate"]
    assert [line for document in (*documents, *in_a_cluster(found)) for line in misfits(document)] == []
