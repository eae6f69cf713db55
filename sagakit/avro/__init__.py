"""Records as bytes, and the schema registry that says what the bytes mean.

What comes from Kafka or from the registry is not trusted: schemas and values are examined before fastavro reads them.
It may import `sagakit.runtime`. Begin with `sagakit.avro.codec`.
"""

from sagakit.avro import error_families  # noqa: F401 - it places the registry's errors
