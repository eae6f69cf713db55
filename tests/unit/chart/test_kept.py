"""What an upgrade keeps of certificates and passwords, and what it makes anew: by what the cluster holds."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509

from tests.unit.chart.finding import Render
from tests.unit.chart.rendering import PRODUCTION, SERVICES, Objects, template
from tests.unit.chart.running import data_of

PASSED = "1"
"""A time long ago, in seconds."""


@pytest.fixture(scope="module")
def installed(render: Render) -> Objects:
    """What the first installation makes."""
    return render({})


def changed(before: Objects, after: Objects) -> set[str]:
    """Return the objects that are others than before, or that are new."""
    return {f"{kind}/{name}" for (kind, name), one in after.items() if before.get((kind, name)) != one}


def without(found: Objects, *secrets: str) -> Objects:
    return {key: one for key, one in found.items() if key[1] not in secrets}


def due(found: Objects, secret: str) -> Objects:
    """Return what was found, where a secret's certificate is in the last third of its life."""
    there = copy.deepcopy(found)
    there["Secret", secret]["metadata"]["annotations"]["order-saga/renew-from"] = PASSED
    return there


def certificate(made: Objects, secret: str, key: str = "tls.crt") -> x509.Certificate:
    return x509.load_pem_x509_certificate(data_of(made, secret)[key])


def test_an_upgrade_with_the_same_values_changes_nothing(render: Render, installed: Objects) -> None:
    assert changed(installed, render(installed)) == set()


@pytest.mark.parametrize("spoil", [due, without], ids=["due", "gone"])
def test_a_certificate_is_made_anew_when_its_time_has_come_or_its_secret_is_gone(
    render: Render, installed: Objects, spoil: Callable[[Objects, str], Objects]
) -> None:
    after = render(spoil(installed, "demo-order-tls"))
    assert changed(installed, after) == {"Secret/demo-order-tls"}, "no pod is restarted for it"
    authority = certificate(after, "demo-ca", "ca.crt")
    certificate(after, "demo-order-tls").verify_directly_issued_by(authority)


def test_the_console_s_secret_stays_so_that_an_upgrade_signs_nobody_out(render: Render, installed: Objects) -> None:
    before, after = (data_of(one, "demo-console-login")["session"] for one in (installed, render(installed)))
    assert before == after


def test_a_third_of_each_life_is_left_for_an_upgrade_to_come(installed: Objects) -> None:
    for secret, key in (("demo-order-tls", "tls.crt"), ("demo-ca", "ca.crt")):
        found = certificate(installed, secret, key)
        life = (found.not_valid_after_utc - found.not_valid_before_utc).total_seconds()
        begun, renewed = found.not_valid_before_utc.timestamp(), int(annotation(installed, secret))
        assert (renewed - begun) / life == pytest.approx(2 / 3, abs=0.01)


def annotation(made: Objects, secret: str) -> str:
    return str(made["Secret", secret]["metadata"]["annotations"]["order-saga/renew-from"])


def test_a_renewed_authority_keeps_its_key_so_that_all_its_certificates_stay_good(
    render: Render, installed: Objects
) -> None:
    after = render(due(installed, "demo-ca"))
    former, renewed = (certificate(one, "demo-ca", "ca.crt") for one in (installed, after))
    assert former != renewed
    assert data_of(after, "demo-ca")["ca.key"] == data_of(installed, "demo-ca")["ca.key"]
    for service in SERVICES:
        secret = f"demo-{service.removesuffix('-svc')}-tls"
        assert certificate(after, secret) == certificate(installed, secret)
        assert certificate(after, secret, "ca.crt") == renewed
        for authority in (former, renewed):
            certificate(after, secret).verify_directly_issued_by(authority)


def test_another_authority_signs_all_anew(render: Render, installed: Objects) -> None:
    after = render(without(installed, "demo-ca"))
    certificates = {f"Secret/{name}" for kind, name in installed if kind == "Secret" and name.endswith("-tls")}
    assert changed(installed, after) == certificates | {"Secret/demo-ca"}
    certificate(after, "demo-kafka-tls").verify_directly_issued_by(certificate(after, "demo-ca", "ca.crt"))


def test_other_passwords_of_a_part_roll_it_and_those_who_check_them(render: Render, installed: Objects) -> None:
    after = render(without(installed, "demo-order-login"))
    (job,) = (name for kind, name in after if kind == "Job")
    assert changed(installed, after) == {
        "Secret/demo-order-login",
        "Deployment/demo-order-svc",
        "Deployment/demo-registry",
        "StatefulSet/demo-postgres",
        f"Job/{job}",
    }
    assert ("Job", job) not in installed, "it is another job, which tells Kafka"


def test_a_password_that_is_missing_in_a_secret_is_made_and_the_others_are_kept(
    render: Render, installed: Objects
) -> None:
    there = copy.deepcopy(installed)
    data: dict[str, Any] = there["Secret", "demo-order-login"]["data"]
    del data["kafka"]
    after = data_of(render(there), "demo-order-login")
    before = data_of(installed, "demo-order-login")
    assert {key for key in before if before[key] != after[key]} == {"kafka"}


OUTSIDE = (
    *PRODUCTION,
    "--set=kafka.enabled=false,kafka.external.bootstrapServers=broker.example:9092",
    "--set=kafka.external.settingsSecret=kafka-*,logins.existingSecrets=*-login",
    "--set=services.orchestrator.autoscaling.by=cpu",
)


@pytest.mark.parametrize("certificates", ["tls.existingSecrets=*-tls", "tls.issuerRef.name=ours"])
def test_what_renders_without_a_cluster_makes_the_same_each_time_of_what_is_given(certificates: str) -> None:
    first, second = (template("--set", f"logins.existingSecrets=*-login,{certificates}") for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout


NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
CLIENTS = (*NOUNS, "operators", "console", "replay", "deployer")
GIVEN = {
    **{f"kafka-{noun}": "KAFKA_SECURITY_PROTOCOL" for noun in CLIENTS},
    **{f"registry-login-{noun}": "SCHEMA_REGISTRY_USERNAME" for noun in CLIENTS},
    **{f"{noun}-database": "uri" for noun in NOUNS},
    "console-login": "session",
}
"""The secrets that a release on servers outside of it reads, and the key that has to be in each."""
READERS = {
    "kafka-order": {"Deployment/demo-order-svc"},
    "registry-login-product": {"Deployment/demo-product-svc"},
    "delivery-database": {"Deployment/demo-delivery-svc"},
    "kafka-operators": {"Deployment/demo-operators"},
    "kafka-console": {"Deployment/demo-console"},
    "kafka-replay": {"Deployment/demo-operators", "Deployment/demo-console"},
    "registry-login-console": {"Deployment/demo-console"},
    "kafka-deployer": {"Job"},
    "kafka-nobody": set[str](),
}


@pytest.mark.parametrize("secret", READERS)
def test_another_secret_of_an_external_server_rolls_who_reads_it(render: Render, secret: str) -> None:
    def holding(version: str) -> Objects:
        there = {("Secret", name): {"metadata": {}, "data": {key: ""}} for name, key in GIVEN.items()}
        there.setdefault(("Secret", secret), {})["metadata"] = {"resourceVersion": version}
        return there

    before, after = (render(holding(version), *OUTSIDE) for version in ("1", "2"))
    assert {re.sub(r"Job/.*", "Job", one) for one in changed(before, after)} == READERS[secret]
