"""A service's own database: its address, transactions as pipelines, migrations while it is used, notifications.

It may import `sagakit.runtime`. Begin with `sagakit.postgres.database`, then `sagakit.postgres.pipeline`.
"""

from sagakit.postgres import error_families  # noqa: F401 - it places PostgreSQL's errors
