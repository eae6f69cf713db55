"""The chart on certificates and passwords that it is given, as the docs ask for them, and one that changes."""

import secrets
import string
import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.release import NAME, SERVICES, Release
from tests.cluster.shown import TAKEN_SECONDS, served
from tests.support.certificates import Authority
from tests.support.wait import eventually
from tools.chart_readme import CHART

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
LOGINS = {
    **dict.fromkeys(NOUNS, ("kafka", "registry", "database", "owner")),
    "operators": ("kafka", "registry"),
    "console": ("kafka", "registry", "session"),
    "replay": ("kafka",),
    "registry": ("kafka",),
    "deployer": ("registry",),
    "postgres": ("superuser",),
}
"""By the word that the asterisk stands for: the keys of its secret."""
ALLOWED = "".join(one for one in string.punctuation if one not in '/@:?#%$"\\')
pytestmark = pytest.mark.timeout(1200)


def password() -> str:
    """Make up a password with every sign that one may have."""
    signs = list(ALLOWED)
    secrets.SystemRandom().shuffle(signs)
    return secrets.token_hex(8) + "".join(signs) + secrets.token_hex(8)


def make_login(release: Release, noun: str) -> None:
    """Make, or overwrite, the secret with the passwords of ``noun``."""
    release.make_secret(f"{noun}-login", {key: password() for key in LOGINS[noun]})


def names(namespace: str) -> dict[str, tuple[str, list[str]]]:
    """Return the subject of each certificate, and the names that it has to be for, by the table in the docs."""
    nodes = f"{NAME}-kafka-nodes"
    node = f"{NAME}-kafka-0.{nodes}"
    return {
        **{noun: (f"{noun}_svc", [f"{NAME}-{noun}-svc"]) for noun in NOUNS},
        "kafka": ("broker", [f"{NAME}-kafka", nodes, node, f"{node}.{namespace}.svc"]),
        "registry": ("anything", [f"{NAME}-registry"]),
        "postgres": ("anything", [f"{NAME}-postgres"]),
        "deployer": ("deployer", []),
        "operators": ("operators", []),
        "console": ("anything", [f"{NAME}-console"]),
    }


class Given:
    """A release, and who makes its certificates."""

    def __init__(self) -> None:
        values = ("--values", str(CHART / "values" / "ci.yaml"))
        given = ("--set", "tls.existingSecrets=*-cert", "--set", "logins.existingSecrets=*-login")
        self.release = Release(f"order-saga-{uuid.uuid4().hex[:6]}", (*values, *given))
        self._authority = Authority("the shop's own")

    def make_certificate(self, noun: str) -> int:
        """Make, or overwrite, the secret with the certificate of ``noun``; return the certificate's serial number."""
        subject, hosts = names(self.release.namespace)[noun]
        pair = self._authority.sign(*hosts, "localhost", "127.0.0.1", common_name=subject)
        data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": self._authority.certificate}
        self.release.make_secret(f"{noun}-cert", data)
        return pair.serial


@pytest.fixture(scope="module")
def given() -> Iterator[Given]:
    """A release that is installed with secrets of somebody else's making."""
    made = Given()
    try:
        made.release.create()
        for noun in names(made.release.namespace):
            made.make_certificate(noun)
        for noun in LOGINS:
            make_login(made.release, noun)
        made.release.install()
        yield made
    finally:
        made.release.remove()


def staying(release: Release, part: str) -> set[str]:
    """Return the pods of a part that are not about to stop, by their ids."""
    pods = [pod["metadata"] for pod in release.pods(part)]
    return {pod["uid"] for pod in pods if "deletionTimestamp" not in pod}


def test_a_release_on_given_secrets_makes_none_and_works(given: Given) -> None:
    for label in ("app.kubernetes.io/instance", "order-saga/release"):
        assert given.release.get("secrets", "--selector", f"{label}={NAME}") == []
    assert given.release.restarts() == {}
    given.release.helm("test", NAME, "--timeout", "5m")


def test_a_certificate_that_is_overwritten_is_served_without_an_upgrade_or_a_restart(given: Given) -> None:
    begun = given.release.started("order-svc")
    serial = given.make_certificate("order")

    def is_served() -> None:
        with given.release.forwarded("order-svc", 50051) as address:
            assert served(address) == serial

    eventually(is_served, TAKEN_SECONDS, every=5)
    assert given.release.started("order-svc") == begun
    given.release.helm("test", NAME, "--timeout", "5m")


def topics_as(release: Release, login: str, word: str) -> str:
    """Ask Kafka for its topics by a login; return what the command line says."""
    credentials = (f"KAFKA_SASL_USERNAME={login}", f"KAFKA_SASL_PASSWORD={word}")
    command = ("exec", f"deployment/{NAME}-operators", "--", "env", *credentials, "ordersaga", "topics")
    return release.kubectl(*command, check=False)


def test_passwords_that_are_overwritten_are_those_that_count_after_an_upgrade(given: Given) -> None:
    release, others = given.release, ("product-svc", "delivery-svc", "orchestrator-svc", "kafka")
    former = release.secret("order-login")["kafka"].decode()
    before = {part: staying(release, part) for part in ("order-svc", *others)}
    make_login(release, "order")
    release.upgrade()
    assert not before["order-svc"] & staying(release, "order-svc")
    assert {part: staying(release, part) for part in others} == {part: before[part] for part in others}
    release.helm("test", NAME, "--timeout", "5m")
    assert "order-created" in topics_as(release, "order_svc", release.secret("order-login")["kafka"].decode())
    assert "order-created" not in topics_as(release, "order_svc", former)
