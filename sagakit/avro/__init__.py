"""Records as bytes, and the schema registry that says what the bytes mean.

Schemas and values from outside are not trusted: they are checked before fastavro reads them. The room may import
`sagakit.runtime` and what lies below. Begin with `sagakit.avro.codec`, then `sagakit.avro.schema_ids`.
"""

from sagakit.avro import error_families  # noqa: F401 - it registers the families of the registry's errors
