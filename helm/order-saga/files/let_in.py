"""What the registry's pod does first: it waits until Kafka lets the registry in, which by itself does not wait."""

import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime.settings import read


def is_let_in(settings: KafkaSettings) -> bool:
    """Say whether Kafka answers the login of the environment."""
    try:
        AdminClient({**settings.kafka_client(), "log_level": 0}).list_topics(timeout=5)
    except KafkaException as error:
        print(f"waiting for Kafka: {error.args[0].str()}", flush=True)
        return False
    return True


if __name__ == "__main__":
    kafka = read(KafkaSettings)
    while not is_let_in(kafka):
        time.sleep(1)
