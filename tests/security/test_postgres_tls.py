"""PostgreSQL by TLS: libpq reads its files for each connection, so renewed ones are taken without our doing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack.layout import NOBODY
from sagakit.postgres.database import Database
from tests.support.certificates import Authority
from tests.support.debian import Debian15, postgres_15
from tests.support.scratch import database_of
from tests.support.wait import eventually

OURS, NEXT = Authority("ours"), Authority("next")


@pytest.fixture
def kept() -> Iterator[Path]:
    """A folder for the server's certificate and key, which nobody else may read."""
    folder = Path(tempfile.mkdtemp(prefix="order-saga-"))
    give(folder, OURS)
    yield folder
    shutil.rmtree(folder)


def give(folder: Path, authority: Authority) -> None:
    """Give the server a certificate of ``authority``."""
    authority.sign("127.0.0.1").write(folder)
    (folder / "tls.key").chmod(0o600)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, NOBODY, NOBODY)


@pytest.fixture
def server(kept: Path) -> Iterator[Debian15]:
    files = {"ssl_cert_file": str(kept / "tls.crt"), "ssl_key_file": str(kept / "tls.key")}
    with postgres_15({"ssl": "on", **files}) as server:
        yield server


@pytest.fixture
def believed(tmp_path: Path) -> Path:
    """The file of the authority that a service believes."""
    path = tmp_path / "ca.crt"
    path.write_bytes(OURS.certificate)
    return path


def address(server: Debian15, believed: Path, host: str = "127.0.0.1") -> str:
    return f"postgresql://postgres@{host}:{server.port}/postgres?sslmode=verify-full&sslrootcert={believed}"


def version(database: Database) -> str | None:
    """Return the version of TLS that a connection is secured by."""
    with database.transaction() as tx:
        ((found,),) = tx.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchall()
    return str(found) if found else None


def test_a_renewed_certificate_and_a_renewed_authority_are_taken_by_the_next_connection(
    server: Debian15, kept: Path, believed: Path
) -> None:
    database = database_of(address(server, believed))
    assert version(database) == "TLSv1.3"
    give(kept, NEXT)
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    eventually(lambda: must_refuse(server, believed))
    assert version(database) == "TLSv1.3"  # by the connection that is there
    believed.write_bytes(NEXT.certificate)
    database.connect_anew()
    assert version(database) == "TLSv1.3"
    database.close()


def must_refuse(server: Debian15, believed: Path) -> None:
    """See that a new connection does not believe the server."""
    database, refusal = database_of(address(server, believed)), ""
    try:
        version(database)
    except psycopg.OperationalError as error:
        refusal = str(error)
    finally:
        database.close()
    assert "certificate verify failed" in refusal


@pytest.mark.parametrize(
    ("host", "authority", "said"),
    [
        ("127.0.0.1", NEXT, "certificate verify failed"),
        ("localhost", OURS, 'does not match host name "localhost"'),
    ],
    ids=["authority", "name"],
)
def test_a_server_of_a_foreign_authority_or_of_another_name_is_not_believed(
    server: Debian15, believed: Path, host: str, authority: Authority, said: str
) -> None:
    believed.write_bytes(authority.certificate)
    database = database_of(address(server, believed, host))
    with pytest.raises(psycopg.OperationalError, match=said):
        version(database)
    database.close()
