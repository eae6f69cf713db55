"""Sagas over Kafka: you declare a saga, and the kit brings the engine, consumer, outbox and servers that run it.

Begin with `sagakit.saga`, which is pure and can be imported alone. Then read `sagakit.orchestrator.engine` and
`sagakit.consumer.consumer`. All rooms share the modules of this folder (errors, families, records, messages, trace
context); these import nothing but each other and Python's own library.
"""
