"""Kafka's clients: the producer, the partitioner, lost-broker detection, and the owner of a consumer group.

It may import `sagakit.avro`, `sagakit.runtime` and what lies below. Consuming is in `sagakit.consumer`, a group's
offsets in `sagakit.offsets`, the topics' deployment in `sagakit.service.deploy`. Begin with `sagakit.kafka.producer`.
"""

from sagakit.kafka import error_families  # noqa: F401 - it registers the families of librdkafka's errors
