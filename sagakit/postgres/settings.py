"""How to reach a service's own database, as the environment says it."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from sagakit.postgres.address import DatabaseAddress
from sagakit.runtime.settings import Settings


def _database(value: object) -> object:
    return DatabaseAddress.parse(value) if isinstance(value, str) else value


DatabaseUrl = Annotated[DatabaseAddress, NoDecode, BeforeValidator(_database)]
"""A PostgreSQL address in any form that libpq takes."""


class DatabaseSettings(Settings):
    """How to reach the service's own database."""

    database_url: DatabaseUrl = Field(description="postgresql://user:password@host:port/database")


class MigrationSettings(DatabaseSettings):
    """What ``migrate`` reads: it logs in as the owner of the database, who need not be who the service logs in as."""

    database_runtime_role: str | None = Field(default=None, description="The role that the service logs in as.")
