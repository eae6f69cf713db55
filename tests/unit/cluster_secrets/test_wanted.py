"""Which secrets are made, kept and made anew, by what the cluster holds."""

from datetime import timedelta

import pytest
from cryptography import x509
from pydantic import ValidationError

from cluster_secrets.plan import Plan
from cluster_secrets.wanted import TO_TELL, Object, change, mentions, wanted
from tests.unit.cluster_secrets.plans import NOW, PLAN, certificate, data, made, put


@pytest.fixture
def installed() -> dict[str, Object]:
    """What the first installation makes, as the API returns it."""
    secrets = made()
    for one in secrets.values():
        one["metadata"]["resourceVersion"] = "1"
        one["metadata"]["annotations"].pop(TO_TELL, None)
        one["metadata"]["labels"].pop("app.kubernetes.io/instance")
    return secrets


def changed(found: dict[str, Object], plan: Plan = PLAN, days: int = 1) -> dict[str, Object]:
    """Return what is changed of the secrets that are there a day after they were made, by their names."""
    secrets = wanted(plan, found, NOW + timedelta(days=days))
    patches = {one["metadata"]["name"]: change(one, found.get(one["metadata"]["name"])) for one in secrets}
    return {name: patch for name, patch in patches.items() if patch}


def test_every_password_is_another_one_of_32_letters_and_digits(installed: dict[str, Object]) -> None:
    passwords = [one for name in PLAN.logins for one in data(installed[name]).values()]
    assert len(set(passwords)) == 3
    assert all(len(one) == 32 and one.decode().isalnum() for one in passwords)


def test_each_kind_of_secret_has_its_type_and_its_keys(installed: dict[str, Object]) -> None:
    assert {name: (one["type"], set(one["data"])) for name, one in installed.items()} == {
        "demo-order-login": ("Opaque", {"database", "kafka"}),
        "demo-replay-login": ("Opaque", {"kafka"}),
        "demo-ca": ("Opaque", {"ca.crt", "ca.key"}),
        "demo-order-tls": ("kubernetes.io/tls", {"ca.crt", "tls.crt", "tls.key"}),
        "demo-kafka-tls": ("kubernetes.io/tls", {"ca.crt", "tls.crt", "tls.key"}),
    }


def test_what_is_there_is_kept(installed: dict[str, Object]) -> None:
    assert changed(installed) == {}


def test_a_secret_that_is_made_has_no_label_that_is_to_be_taken_away() -> None:
    secret = changed({})["demo-order-login"]
    assert secret["metadata"]["labels"] == {"order-saga/release": "demo"}


def test_a_password_that_is_missing_is_made_and_the_others_are_kept(installed: dict[str, Object]) -> None:
    del installed["demo-order-login"]["data"]["kafka"]
    patches = changed(installed)
    assert patches.keys() == {"demo-order-login"}
    assert patches["demo-order-login"]["data"].keys() == {"kafka"}
    assert patches["demo-order-login"]["metadata"]["annotations"] == {TO_TELL: "yes"}


def test_an_empty_password_counts_as_missing(installed: dict[str, Object]) -> None:
    put(installed["demo-replay-login"], "kafka", b"")
    assert changed(installed)["demo-replay-login"]["data"].keys() == {"kafka"}


def test_a_certificate_is_made_anew_when_its_secret_is_gone(installed: dict[str, Object]) -> None:
    del installed["demo-order-tls"]
    patches = changed(installed)
    assert patches.keys() == {"demo-order-tls"}
    authority = certificate(installed, "demo-ca", "ca.crt")
    certificate(patches, "demo-order-tls").verify_directly_issued_by(authority)


def test_certificates_are_renewed_when_their_time_has_come(installed: dict[str, Object]) -> None:
    assert changed(installed, days=731).keys() == set(PLAN.certificates)


def test_a_renewed_authority_is_believed_by_all_and_no_certificate_changes(installed: dict[str, Object]) -> None:
    renewed = made(now=NOW + timedelta(days=731), found=installed)
    for one in renewed.values():
        one["metadata"]["resourceVersion"] = "2"
    due = NOW + timedelta(days=2500)
    fresh = made(now=due - timedelta(days=1), found=renewed)
    after = made(now=due, found=fresh)
    assert data(after["demo-ca"])["ca.key"] == data(installed["demo-ca"])["ca.key"]
    assert certificate(after, "demo-ca", "ca.crt") != certificate(installed, "demo-ca", "ca.crt")
    for name in PLAN.certificates:
        assert certificate(after, name) == certificate(fresh, name)
        assert certificate(after, name, "ca.crt") == certificate(after, "demo-ca", "ca.crt")


def test_another_authority_signs_all_anew(installed: dict[str, Object]) -> None:
    del installed["demo-ca"]
    patches = changed(installed)
    assert patches.keys() == {"demo-ca", *PLAN.certificates}
    authority = certificate(patches, "demo-ca", "ca.crt")
    for name in PLAN.certificates:
        certificate(patches, name).verify_directly_issued_by(authority)
        assert x509.load_pem_x509_certificate(data(patches[name])["ca.crt"]) == authority


def test_another_host_changes_that_certificate_alone(installed: dict[str, Object]) -> None:
    kafka = PLAN.certificates["demo-kafka-tls"]
    three = kafka.model_copy(update={"hosts": (*kafka.hosts, "demo-kafka-1.demo-kafka-nodes")})
    plan = PLAN.model_copy(update={"certificates": {**PLAN.certificates, "demo-kafka-tls": three}})
    assert changed(installed, plan).keys() == {"demo-kafka-tls"}


def test_a_secret_of_the_chart_before_keeps_its_contents_and_is_kept_by_helm(installed: dict[str, Object]) -> None:
    """Helm deletes what is no longer among a release's objects, but for what says on itself that it is kept."""
    for one in installed.values():
        one["metadata"]["labels"] = {"app.kubernetes.io/instance": "demo", "app.kubernetes.io/name": "order-saga"}
        one["metadata"]["annotations"] = {"order-saga/renew-from": "1"}
    marks = {
        "labels": {"order-saga/release": "demo", "app.kubernetes.io/instance": None},
        "annotations": {"helm.sh/resource-policy": "keep"},
    }
    assert changed(installed) == {name: {"metadata": {"resourceVersion": "1", **marks}} for name in installed}


def test_what_is_given_is_not_made() -> None:
    assert made(PLAN.model_copy(update={"logins": {}})).keys() == {"demo-ca", *PLAN.certificates}
    assert made(PLAN.model_copy(update={"authority": None})).keys() == set(PLAN.logins)


def test_a_plan_with_a_word_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="login\n"):
        Plan.model_validate({"labels": {}, "annotations": {}, "login": {}})


def test_a_template_mentions_a_secret_wherever_its_name_stands() -> None:
    variable = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "demo-order-login", "key": "kafka"}}}
    template = {"spec": {"containers": [{"name": "order", "env": [variable]}]}}
    assert mentions(template, "demo-order-login")
    assert not mentions(template, "demo-order")
