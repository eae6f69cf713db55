"""The command line ``ordersaga``: orders, sagas, dead letters, topics and schemas, for people and for scripts."""
