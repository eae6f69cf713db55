"""The gRPC server: a guard around every method, statuses for errors, validation, pages, reflection.

It may import `sagakit.runtime` alone. Begin with `sagakit.rpc.server`, then `sagakit.rpc.guard`.
"""
