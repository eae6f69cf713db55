"""What a server answers to a deployment: done, not now, or never to this login."""

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

from sagakit.errors import SagakitError, Unavailable

if TYPE_CHECKING:
    from concurrent.futures import Future

_NO_RIGHT = {KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}
_FOR_GOOD = {*_NO_RIGHT, KafkaError.SECURITY_DISABLED, KafkaError.UNSUPPORTED_SASL_MECHANISM}


class DeploymentRefused(SagakitError):
    """A server does not let the deployment do a step of its. Waiting does not help."""


def answer(future: "Future[Any]", what: str) -> Any:  # noqa: ANN401 - each question to Kafka has an answer of its own type
    """Return the answer of Kafka's admin client by which the deployment makes, or reads, ``what``.

    Raises:
        DeploymentRefused: the brokers do not let this login do that, or are not such as could do it.
        Unavailable: they cannot do it now.
    """
    try:
        return future.result()
    except KafkaException as error:
        code, said = error.args[0].code(), error.args[0].str().rstrip(".")
        if code in _NO_RIGHT:
            raise DeploymentRefused(f"{what} cannot be made: {said}; deploy with a login that may do so") from error
        if code in _FOR_GOOD:
            raise DeploymentRefused(f"{what} cannot be made: {said}") from error
        raise Unavailable(f"{what} cannot be made now: {error}") from error
