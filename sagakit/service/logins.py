"""Kafka's logins: gives each principal the password that stands in a file of its name.

Kafka keeps them itself, so whoever makes them must be let in before there is one: by a certificate, at a listener that
asks for one. A password is changed in the same way as it is made; connections that are there go on.
"""

from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from sagakit.runtime.logs import logger
from sagakit.service.refused import answer

log = logger("deploy")

_ITERATIONS = 4096
_SECONDS = 30.0


def read_passwords(folder: Path) -> dict[str, str]:
    """Return the password of each principal, which stands in the file of its name in ``folder``.

    Names that begin with a dot are left out: they are Kubernetes' own, by which it swaps a secret's files.

    Raises:
        ValueError: there is none, or a file is empty.
        OSError: one cannot be read.
    """
    found = {
        file.name: file.read_text().strip()
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".")
    }
    empty = [name for name, password in found.items() if not password]
    if empty or not found:
        raise ValueError(f"{folder}: {f'{empty[0]} holds no password' if empty else 'holds no passwords'}")
    return found


def apply(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    """Let each principal of ``passwords`` log in with its password by SCRAM-SHA-512, and with no former one.

    Raises:
        DeploymentRefused: the brokers do not let us.
        Unavailable: they do not answer.
    """
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    wanted: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(name, info, password.encode()) for name, password in passwords.items()
    ]
    for future in admin.alter_user_scram_credentials(wanted, request_timeout=_SECONDS).values():
        answer(future, "Kafka's logins")
    log.info("logins made", principals=sorted(passwords))
