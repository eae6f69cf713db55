"""The gRPC server: a guard around every method, statuses for errors, validation, paging, reflection.

It imports `sagakit.runtime`, `sagakit.families` and `sagakit.errors`, and no room that speaks to Kafka or PostgreSQL.
Begin with `sagakit.rpc.server`, then `sagakit.rpc.guard` and `sagakit.rpc.statuses`; for who may call, with
`sagakit.rpc.gate`.
"""
