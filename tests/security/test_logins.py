"""The deployment makes Kafka's logins, by a certificate, when nobody can log in yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.security import BROKER, DEPLOYER
from devstack.stack import Stack
from sagakit.service import logins
from sagakit.service.deploy import dead_letter_topics_of, grant_access, keep_settings
from sagakit.service.refused import DeploymentRefused
from tests.support.logins import client_of
from tools.paths import ROOT, SCHEMAS

NAME = "newcomer"
_SECONDS = 5


def client(stack: Stack, password: str) -> AdminClient:
    """Return a client that logs in as the newcomer."""
    return AdminClient(client_of(stack, DEPLOYER, kafka_sasl_username=NAME, kafka_sasl_password=password))


def lets_in(stack: Stack, password: str) -> None:
    """Log in as the newcomer, which Kafka's client tries for a while; raises where it is not let in."""
    client(stack, password).list_topics(timeout=_SECONDS)


def deployed(stack: Stack, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Deploy as the chart's job does: with a certificate, at the brokers' own listener."""
    certificate, key = stack.security.pair(BROKER)
    kafka = stack.state["kafka"]
    assert isinstance(kafka, dict)
    settings = {
        **stack.security.settings(DEPLOYER),
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka['brokers']}",
        "SCHEMA_REGISTRY_URL": stack.registry_url,
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate),
        "KAFKA_SSL_KEY_LOCATION": str(key),
    }
    for name in ("MECHANISM", "USERNAME", "PASSWORD"):
        del settings[f"KAFKA_SASL_{name}"]
    return run(settings, "--acls", "--logins", str(folder))


def run(settings: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """Deploy with ``settings``; it fails where that takes two minutes."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SCHEMA_"))}
    command = [sys.executable, "-m", "sagakit.service.deploy", str(SCHEMAS), *words]
    return subprocess.run(
        command, env=others | settings, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_login_is_made_and_its_password_changed_by_a_certificate(closed_stack: Stack, tmp_path: Path) -> None:
    for password in ("first", "second"):
        (tmp_path / NAME).write_text(password)
        done = deployed(closed_stack, tmp_path)
        assert done.returncode == 0, done.stderr
        lets_in(closed_stack, password)
    with pytest.raises(KafkaException):
        lets_in(closed_stack, "first")


def test_who_may_not_make_logins_is_told_so_at_once(closed_stack: Stack) -> None:
    service = AdminClient(client_of(closed_stack, "product_svc"))
    with pytest.raises(DeploymentRefused, match="logins cannot be made"):
        logins.apply(service, {NAME: "third"})


def test_a_folder_without_passwords_is_refused_before_anything_is_made(closed_stack: Stack, tmp_path: Path) -> None:
    done = deployed(closed_stack, tmp_path)
    assert done.returncode != 0
    assert "holds no passwords" in done.stderr


@pytest.mark.parametrize(
    ("login", "words", "said"),
    [
        ({}, (), "the topic order-created cannot be made: "),
        ({}, ("--acls",), "the topic order-created cannot be made: "),
        ({"KAFKA": DEPLOYER}, (), "the schema registry does not let this login register schemas: "),
        ({"KAFKA": DEPLOYER, "SCHEMA": ""}, (), "the schema registry does not let this login register schemas: "),
    ],
    ids=["topics", "topics before ACLs", "schemas", "schemas without a login"],
)
def test_who_may_not_deploy_is_told_so_and_nothing_is_waited_for(
    closed_stack: Stack, login: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    """It logs in as a service, but to the servers that ``login`` names another for, or none."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": closed_stack.bootstrap, "SCHEMA_REGISTRY_URL": closed_stack.registry_url}
    for server in ("KAFKA", "SCHEMA"):
        of = closed_stack.security.settings(login.get(server) or "product_svc")
        settings |= {name: value for name, value in of.items() if name.startswith(server)}
    if login.get("SCHEMA") == "":
        del settings["SCHEMA_REGISTRY_USERNAME"], settings["SCHEMA_REGISTRY_PASSWORD"]
    done = run(settings, *words)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"not deployed: {said}")
    assert "waiting" not in done.stderr + done.stdout


def test_settings_of_topics_that_one_may_not_change_end_a_deployment(closed_stack: Stack) -> None:
    service = AdminClient(client_of(closed_stack, "product_svc"))
    with pytest.raises(DeploymentRefused, match="the topics' settings cannot be made: "):
        keep_settings(service, dead_letter_topics_of(SCHEMAS, days=1))


def test_whose_acls_one_may_not_see_end_a_deployment(closed_stack: Stack) -> None:
    service = AdminClient(client_of(closed_stack, "product_svc"))
    with pytest.raises(DeploymentRefused, match=r"Kafka's ACLs cannot be made: .*; deploy with a login that may do so"):
        grant_access(service, SCHEMAS)
