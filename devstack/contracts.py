"""Topics, schemas and, in a closed stack, who may read and write what: the deployer's work at a start."""

from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from pydantic import ValidationError

from devstack.errors import DevstackError, in_one_line
from devstack.layout import ROOT
from devstack.security import DEPLOYER, Security
from sagakit.errors import Unavailable
from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime.settings import explained
from sagakit.service.deploy import DeploySettings, deploy, grant_access
from sagakit.service.refused import DeploymentRefused

_FOLDER = ROOT / "schemas"


def deploy_contracts(security: Security, bootstrap: str, registry_url: str) -> None:
    """Make topics and register schemas; in a closed stack, grant what the manifests say.

    Raises:
        DevstackError: a server refuses, or a setting of the environment is bad.
    """
    addresses = {"kafka_bootstrap_servers": bootstrap, "schema_registry_url": registry_url}
    try:  # what is not said here, such as credentials for somebody else's server, comes from the environment
        read = DeploySettings.model_validate({**_login(security), **addresses})
    except ValidationError as error:
        raise DevstackError("; ".join(explained(error))) from error
    try:
        deploy(read, _FOLDER, with_acls=security.on)
    except (Unavailable, SchemaRegistryError, DeploymentRefused) as error:
        raise DevstackError(f"topics and schemas cannot be made: {in_one_line(error)}") from error


def make_room_for_registry(security: Security, bootstrap: str) -> None:
    """Grant the registry of a closed stack its topics, without which it does not start.

    Raises:
        DevstackError: Kafka refuses.
    """
    read = KafkaSettings.model_validate({**_login(security), "kafka_bootstrap_servers": bootstrap})
    try:
        grant_access(AdminClient(read.kafka_client()), _FOLDER)
    except (Unavailable, DeploymentRefused) as error:
        raise DevstackError(f"Kafka's ACLs cannot be made: {in_one_line(error)}") from error


def _login(security: Security) -> dict[str, str]:
    return {name.lower(): value for name, value in security.settings(DEPLOYER).items()}
