"""A closed registry: HTTPS alone, a login for each client, and only the deployer may write."""

from pathlib import Path

from devstack.secrets import write_private
from devstack.security import DEPLOYER, READERS, Security
from sagakit.service.access import REGISTRY

_WRITER, _READER = "sr-admin", "sr-readonly"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


def write_properties(security: Security, file: Path, port: int) -> None:
    """Write the settings of a closed registry that listens on ``port``; they hold passwords."""
    certificate, key = security.pair(REGISTRY)
    roles = {DEPLOYER: _WRITER, **dict.fromkeys(READERS, _READER)}
    users = "quarkus.security.users.embedded"
    login = f'{_SCRAM} required username="{REGISTRY}" password="{security.password(REGISTRY)}";'
    lines = {
        "quarkus.http.insecure-requests": "disabled",
        "quarkus.http.ssl-port": str(port),
        "quarkus.http.ssl.certificate.files": _one_of_a_list(certificate),
        "quarkus.http.ssl.certificate.key-files": _one_of_a_list(key),
        "quarkus.http.auth.basic": "true",
        f"{users}.plain-text": "true",
        **{f"{users}.users.{name}": security.password(name) for name in roles},
        **{f"{users}.roles.{name}": role for name, role in roles.items()},
        "apicurio.auth.role-based-authorization": "true",
        "apicurio.kafka.common.security.protocol": "SASL_SSL",
        "apicurio.kafka.common.sasl.mechanism": "SCRAM-SHA-512",
        "apicurio.kafka.common.sasl.jaas.config": login,
        "apicurio.kafka.common.ssl.truststore.type": "PEM",
        "apicurio.kafka.common.ssl.truststore.location": str(security.ca),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, "".join(f"{name}={_escaped(value)}\n" for name, value in lines.items()))


def _one_of_a_list(file: Path) -> str:
    """Return the path as the only one of a list, in which a comma would begin another one."""
    return str(file).replace("\\", "\\\\").replace(",", "\\,")


def _escaped(value: str) -> str:
    """Return a value as Java reads it from a file of properties."""
    return value.replace("\\", "\\\\")
