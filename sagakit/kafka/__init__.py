"""Kafka's clients: the producer, the partitioner, who owns a consumer group, and the topics' deployment.

It may import `sagakit.avro` and `sagakit.runtime`. What consumes is in `sagakit.consumer`, where a group has got to in
`sagakit.offsets`. Begin with `sagakit.kafka.producer`.
"""

from sagakit.kafka import error_families  # noqa: F401 - it places librdkafka's errors
