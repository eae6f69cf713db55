"""PostgreSQL, Kafka, the schema registry and the services on one machine, from packages alone.

Nothing here needs Docker or an installation by hand: the servers come through Python's and Maven's registries.
"""
