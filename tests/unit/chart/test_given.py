"""Secrets that the values name: what is missing in them is said before anything is touched."""

from collections.abc import Mapping

import pytest

from tests.unit.chart.finding import Attempt
from tests.unit.chart.rendering import PRODUCTION, SERVICES, Objects

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
LOGINS: dict[str, tuple[str, ...]] = {
    **{f"{noun}-login": ("kafka", "registry", "database", "owner") for noun in NOUNS},
    "operators-login": ("kafka", "registry"),
    "console-login": ("kafka", "registry", "session"),
    "replay-login": ("kafka",),
    "registry-login": ("kafka",),
    "deployer-login": ("registry",),
    "postgres-login": ("superuser",),
}
"""As docs/kubernetes.md lists them, with their keys."""
CERTIFIED = (*NOUNS, "console", "kafka", "registry", "postgres", "deployer", "operators")
CERTIFICATES: dict[str, tuple[str, ...]] = {f"{noun}-tls": ("tls.crt", "tls.key", "ca.crt") for noun in CERTIFIED}
GIVEN = "--set=logins.existingSecrets=*-login,tls.existingSecrets=*-tls"


def holding(secrets: Mapping[str, tuple[str, ...]]) -> Objects:
    """Return a cluster's secrets by their keys."""
    return {("Secret", name): {"data": dict.fromkeys(keys, "")} for name, keys in secrets.items()}


def test_given_secrets_that_hold_what_is_read_are_taken(attempt: Attempt) -> None:
    done = attempt(holding(LOGINS | CERTIFICATES), GIVEN)
    assert done.returncode == 0, done.stderr


def test_without_a_cluster_or_before_there_are_secrets_nothing_is_said(attempt: Attempt) -> None:
    assert attempt({}, GIVEN).returncode == 0
    assert attempt(holding({"of-somebody-else": ()}), GIVEN).returncode == 0


def test_an_upgrade_that_brings_the_console_names_the_secrets_that_are_missing(attempt: Attempt) -> None:
    before = {name: keys for name, keys in (LOGINS | CERTIFICATES).items() if "console" not in name}
    done = attempt(holding(before), GIVEN)
    assert done.returncode != 0
    assert "console-login (logins.existingSecrets) is not there, and needs kafka, registry, session\n" in done.stderr
    assert "console-tls (tls.existingSecrets) is not there, and needs tls.crt, tls.key, ca.crt\n" in done.stderr
    assert "order-login" not in done.stderr
    assert attempt(holding(before), GIVEN, "--set=console.enabled=false").returncode == 0


@pytest.mark.parametrize("secret", LOGINS | CERTIFICATES)
def test_a_key_that_is_missing_is_named(attempt: Attempt, secret: str) -> None:
    there = LOGINS | CERTIFICATES
    done = attempt(holding({**there, secret: there[secret][:-1]}), GIVEN)
    assert done.returncode != 0
    assert (
        f"  {secret} ({'tls' if secret.endswith('-tls') else 'logins'}.existingSecrets) lacks {there[secret][-1]}\n"
        in (done.stderr)
    )


CLIENTS = (*NOUNS, "operators", "console", "replay", "deployer")
OUTSIDE = (
    *PRODUCTION,
    "--set=kafka.enabled=false,kafka.external.bootstrapServers=broker.example:9092,auth.jwksUrl=,auth.jwksSecret=keys",
    "--set=kafka.external.settingsSecret=kafka-*,services.orchestrator.autoscaling.by=cpu",
    "--set=console.oidc.issuer=https://issuer.example,console.oidc.clientId=console,console.oidc.existingSecret=oidc",
)
THERE: dict[str, tuple[str, ...]] = {
    **{f"kafka-{noun}": ("KAFKA_SECURITY_PROTOCOL",) for noun in CLIENTS},
    **{f"registry-login-{noun}": () for noun in CLIENTS},
    **{f"{noun}-database": ("uri",) for noun in NOUNS},
    "keys": ("jwks.json",),
    "oidc": ("clientSecret",),
}


def test_secrets_of_external_servers_and_of_an_issuer_are_taken(attempt: Attempt) -> None:
    done = attempt(holding(THERE), *OUTSIDE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("secret", ["kafka-console", "kafka-replay", "order-database", "keys", "oidc"])
def test_what_is_missing_of_them_is_named(attempt: Attempt, secret: str) -> None:
    done = attempt(holding({**THERE, secret: ()}), *OUTSIDE)
    assert done.returncode != 0
    assert f"lacks {THERE[secret][0]}\n" in done.stderr
    without = {name: keys for name, keys in THERE.items() if name != secret}
    assert f"  {secret} (" in attempt(holding(without), *OUTSIDE).stderr


def test_a_registry_s_secret_only_has_to_be_there(attempt: Attempt) -> None:
    without = {name: keys for name, keys in THERE.items() if name != "registry-login-console"}
    done = attempt(holding(without), *OUTSIDE)
    assert (
        "registry-login-console (registry.external.settingsSecret) is not there, and needs the settings" in done.stderr
    )
