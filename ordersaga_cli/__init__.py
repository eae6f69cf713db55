"""The command line ``ordersaga``: orders, sagas, dead letters, topics and schemas, for people and for scripts."""

__version__ = "0.1.0"
"""The version of the whole: services, command line and contracts are released together."""
