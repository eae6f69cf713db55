"""A service's own database: its address, connections, transactions, SQL from tables, migrations, notifications.

It may import `sagakit.runtime` and what lies below. Begin with `sagakit.postgres.database`, then read
`sagakit.postgres.pipeline` for transactions and `sagakit.postgres.sql` for statements. `Timelines.look` in
`sagakit.postgres.timelines` notices that the database has another history, as after a restore.
"""

from sagakit.postgres import error_families  # noqa: F401 - it places PostgreSQL's errors
