"""Put the proto files of others that ours import into ``.deps/proto``, once for each working copy; none is committed.

``buf/validate/validate.proto``, protovalidate's annotations, comes out of the jar that its authors publish, and the
pinned checksum is that of the proto file itself. ``google/rpc/status.proto`` comes with the package that has its Python
code, whose checksum the lock file pins.
"""

import hashlib
import importlib.resources
import os
import zipfile

import truststore
from jgo.maven import MavenContext

from tools.paths import IMPORTED, cache

VERSION = "1.3.0"
SHA256 = "817951eab518442950f1982be24b2c3154b214b40e42f49b915cbf5181e6ee80"
_ANNOTATIONS = "buf/validate/validate.proto"
_STATUS = "google/rpc/status.proto"


class ImportedError(Exception):
    """A proto file that ours import cannot be had; the text says what to do."""


def ensure() -> None:
    """Put the files in their places, unless they are there already."""
    _put(_STATUS, importlib.resources.files("google.rpc").joinpath("status.proto").read_bytes())
    annotations = IMPORTED / _ANNOTATIONS
    if annotations.exists() and _is_pinned(annotations.read_bytes()):
        return
    proto = download()
    if not _is_pinned(proto):
        raise ImportedError(f"validate.proto of build.buf:protovalidate:{VERSION} has not the checksum it should have")
    _put(_ANNOTATIONS, proto)


def _put(name: str, proto: bytes) -> None:
    place = IMPORTED / name
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_suffix(f".{os.getpid()}")  # somebody else may be reading the file, or putting it there
    beside.write_bytes(proto)
    beside.replace(place)


def download() -> bytes:
    """Return protovalidate's annotations out of its jar, which is fetched unless it lies in the cache.

    Raises:
        ImportedError: it cannot be fetched.
    """
    truststore.inject_into_ssl()  # trust what the system trusts, as pip does
    try:
        maven = MavenContext(repo_cache=cache() / "maven", local_repos=[])  # not ~/.m2, which is the user's
        component = maven.project("build.buf", "protovalidate").at_version(VERSION)
        with zipfile.ZipFile(component.artifact().resolve()) as jar:
            return jar.read(_ANNOTATIONS)
    except Exception as error:
        raise ImportedError(f"cannot fetch build.buf:protovalidate:{VERSION} (is there a network?): {error}") from error


def _is_pinned(proto: bytes) -> bool:
    return hashlib.sha256(proto).hexdigest() == SHA256
