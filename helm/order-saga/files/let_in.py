"""What the registry's pod does first: it waits until Kafka lets the registry in, which by itself does not wait.

Then it writes the registry's settings of Kafka, as Java's client has them, into the file that its argument names. No
password stands there: the registry puts in its variables.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime.settings import read

MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
"""What logs Java's client in, by KAFKA_SASL_MECHANISM."""


def is_let_in(settings: KafkaSettings) -> bool:
    """Say whether Kafka answers the login of the environment."""
    try:
        AdminClient({**settings.kafka_client(), "log_level": 0}).list_topics(timeout=5)
    except KafkaException as error:
        print(f"waiting for Kafka: {error.args[0].str()}", flush=True)
        return False
    return True


def properties(settings: KafkaSettings, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the settings of Java's client; its certificate and key go into one file in ``folder``, as it wants them.

    Raises:
        SystemExit: the registry cannot log in so.
    """
    yield "security.protocol", settings.kafka_security_protocol
    if (mechanism := settings.kafka_sasl_mechanism) is not None:
        if mechanism not in MODULES:
            known = ", ".join(MODULES)
            sys.exit(f"KAFKA_SASL_MECHANISM: the chart's registry cannot log in by {mechanism}; use one of {known}")
        yield "sasl.mechanism", mechanism
        login = 'username="${KAFKA_SASL_USERNAME}" password="${KAFKA_SASL_PASSWORD}"'
        yield "sasl.jaas.config", f"{MODULES[mechanism]} required {login};"
    if settings.kafka_ssl_ca_location is not None:
        yield "ssl.truststore.type", "PEM"
        yield "ssl.truststore.location", settings.kafka_ssl_ca_location
    if settings.kafka_ssl_certificate_location is not None and settings.kafka_ssl_key_location is not None:
        both = (settings.kafka_ssl_key_location, settings.kafka_ssl_certificate_location)
        (folder / "client.pem").write_text("\n".join(Path(one).read_text() for one in both))
        yield "ssl.keystore.type", "PEM"
        yield "ssl.keystore.location", str(folder / "client.pem")


if __name__ == "__main__":
    kafka, target = read(KafkaSettings), Path(sys.argv[1])
    written = "".join(f"apicurio.kafka.common.{name}={value}\n" for name, value in properties(kafka, target.parent))
    while not is_let_in(kafka):
        time.sleep(1)
    target.write_text(written)
