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
        **{name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SCHEMA_"))},
        **stack.security.settings(DEPLOYER),
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka['brokers']}",
        "SCHEMA_REGISTRY_URL": stack.registry_url,
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate),
        "KAFKA_SSL_KEY_LOCATION": str(key),
    }
    for name in ("MECHANISM", "USERNAME", "PASSWORD"):
        del settings[f"KAFKA_SASL_{name}"]
    command = [sys.executable, "-m", "sagakit.service.deploy", str(SCHEMAS), "--acls", "--logins", str(folder)]
    return subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


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
    with pytest.raises(logins.LoginsRefused, match="logins cannot be made"):
        logins.apply(service, {NAME: "third"})


def test_a_folder_without_passwords_is_refused_before_anything_is_made(closed_stack: Stack, tmp_path: Path) -> None:
    done = deployed(closed_stack, tmp_path)
    assert done.returncode != 0
    assert "holds no passwords" in done.stderr
