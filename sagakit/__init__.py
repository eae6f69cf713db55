"""Sagas over Kafka: an orchestrator that is declared, and the batch consumer, outbox and servers that it stands on.

Begin with `sagakit.saga`, which is pure and can be imported alone, then read `sagakit.orchestrator.engine` and
`sagakit.consumer.consumer`. The modules of this folder itself (errors, families, records, messages, trace context) are
what all rooms share; they import nothing but Python's own library.
"""
