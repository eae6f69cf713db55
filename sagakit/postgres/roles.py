"""The two roles of a service's database: its owner, who migrates it, and the runtime role that the service logs in as.

The runtime role reads and writes rows, takes numbers from sequences, and may do nothing else: it makes, changes and
empties no table, and sees in the table of revisions which one the database has. PUBLIC, which is every role of the
server, has nothing here any more, so that one service's role cannot connect to another service's database.
"""

from typing import Any

import psycopg
from psycopg import sql

from sagakit.postgres.address import UnsupportedServer
from sagakit.runtime.logs import logger

log = logger("migrations")

_REVISIONS = "alembic_version"
_STATEMENTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    "REVOKE ALL ON SCHEMA {schema} FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {schema}.{revisions} FROM {role}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
)
# To take away what one may not take away is no error to PostgreSQL, only a warning that nobody reads.
_LEFT_TO_PUBLIC = """
    SELECT has_database_privilege('public', current_database(), 'CONNECT')
        OR has_schema_privilege('public', current_schema(), 'USAGE, CREATE')
"""


def grant(connection: "psycopg.Connection[Any]", role: str) -> None:
    """Give the runtime ``role`` what a service needs, and PUBLIC nothing; ``connection`` is the owner's.

    It may be repeated, while services run: either all of it holds or nothing has changed.

    Raises:
        psycopg.Error: there is no such role, or the owner may not grant.
        UnsupportedServer: ``role`` is the owner itself.
    """
    with connection.transaction(), connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute("SELECT current_user::text, current_database()::text, current_schema()::text")
        owner, database, schema = cursor.fetchone() or ("", "", "")
        if owner == role:
            raise UnsupportedServer(f"the runtime role {role} is who migrates: it must be a role of its own")
        names = {"database": database, "schema": schema, "role": role, "revisions": _REVISIONS}
        quoted = {name: sql.Identifier(value) for name, value in names.items()}
        for statement in _STATEMENTS:
            cursor.execute(sql.SQL(statement).format(**quoted))
        cursor.execute(_LEFT_TO_PUBLIC)
        if cursor.fetchone() == (True,):
            log.warning("PUBLIC keeps privileges, as who migrates does not own the database", database=database)
