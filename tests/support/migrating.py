"""Databases at earlier revisions than the newest."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command

from sagakit.postgres.address import DatabaseAddress
from sagakit.postgres.migrations import configuration, engine
from sagakit.postgres.settings import DatabaseSettings


def url_of(dsn: str) -> DatabaseAddress:
    """Return an address as the services read it."""
    return DatabaseSettings.model_validate({"database_url": dsn}).database_url


def migrate_to(service: str, dsn: str, revision: str) -> None:
    """Bring a database to ``revision``."""
    config = configuration(service)
    with engine(url_of(dsn)).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@contextmanager
def migrating(service: str, dsn: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``migrate`` as a deployment does, and kill it in the end, where it has not ended; its log is its output."""
    run = [sys.executable, "-m", service, "migrate"]
    environment = {**os.environ, "DATABASE_URL": dsn}
    with subprocess.Popen(run, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.kill()
