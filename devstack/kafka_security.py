"""A closed Kafka: TLS everywhere, SCRAM for clients, certificates between brokers and controllers, and ACLs.

Clients log in at one listener. Brokers and controllers have listeners of their own, at which only the broker's own
certificate counts for anything. So logins can be made before anybody can log in.
"""

from pathlib import Path

from confluent_kafka.admin import AdminClient

from devstack.errors import DevstackError
from devstack.secrets import write_private
from devstack.security import BROKER, DEPLOYER, PRINCIPALS, Security
from sagakit.errors import Unavailable
from sagakit.service import logins
from sagakit.service.refused import DeploymentRefused

_KEYS, _TRUST = "keys.pem", "trust.pem"
OPEN = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""
"""The listeners of a Kafka that lets everybody in."""
# The files are named relative to where Kafka is started, as its data are.
CLOSED = f"""\
listeners=CLIENTS://127.0.0.1:{{port}},BROKERS://127.0.0.1:{{brokers}},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=CLIENTS://127.0.0.1:{{port}},BROKERS://127.0.0.1:{{brokers}},CONTROLLER://127.0.0.1:{{controller}}
listener.security.protocol.map=CLIENTS:SASL_SSL,BROKERS:SSL,CONTROLLER:SSL
inter.broker.listener.name=BROKERS
ssl.keystore.type=PEM
ssl.keystore.location={_KEYS}
ssl.truststore.type=PEM
ssl.truststore.location={_TRUST}
listener.name.brokers.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{BROKER};User:{DEPLOYER}
"""
"""Those of one that lets in who has a login, to do what the ACLs grant."""


def put_files(security: Security, folder: Path) -> None:
    """Put the broker's certificate with its key, and the authority's, into ``folder``."""
    certificate, key = security.pair(BROKER)
    write_private(folder / _KEYS, key.read_bytes() + certificate.read_bytes())
    (folder / _TRUST).write_bytes(security.ca.read_bytes())


def as_broker(security: Security, brokers: str) -> dict[str, str | int | float | bool]:
    """Return the properties of a client at the listener ``brokers`` that shows the broker's own certificate."""
    certificate, key = security.pair(BROKER)
    return {
        "bootstrap.servers": brokers,
        "security.protocol": "SSL",
        "ssl.ca.location": str(security.ca),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "log_level": 0,
    }


def make_logins(security: Security, brokers: str) -> None:
    """Give every principal the password that it should have.

    Raises:
        DevstackError: the brokers refuse, or do not answer.
    """
    try:
        logins.apply(AdminClient(as_broker(security, brokers)), {name: security.password(name) for name in PRINCIPALS})
    except (Unavailable, DeploymentRefused) as error:
        raise DevstackError(str(error)) from error
